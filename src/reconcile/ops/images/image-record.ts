import type { LoadedImage } from '../../../images/image.ts';
import { RUN_CONFIG, type RunConfig } from '../../../state/containers/run-config.ts';
import type { ImageRecord } from '../../../state/images/image-record.ts';

function runConfig({ config }: LoadedImage): RunConfig {
  return {
    ...RUN_CONFIG.zero(),
    User: config.user,
    ExposedPorts: Object.fromEntries(config.exposedPorts.map((port) => [port, {}])),
    Env: [...config.env],
    Cmd: config.cmd ? [...config.cmd] : null,
    Volumes: Object.fromEntries(config.volumes.map((path) => [path, {}])),
    WorkingDir: config.workingDir,
    Entrypoint: config.entrypoint ? [...config.entrypoint] : null,
  };
}

/**
 * graph/<id>/json of a loaded image: an empty diff on top of its last layer.
 * @param size bytes of all its layers, as Docker counts them
 */
export function imageRecord(image: LoadedImage, version: string, size: number): ImageRecord {
  const config = runConfig(image);
  return {
    id: image.id,
    parent: image.topLayer ?? '',
    comment: '',
    created: image.created,
    container: '',
    container_config: RUN_CONFIG.zero(),
    docker_version: version,
    author: '',
    config,
    architecture: image.architecture,
    os: image.os,
    checksum: '',
    Size: size,
    Tsdocker: {
      Layers: image.layers.map(({ chainId, diffId, size }) => ({ ChainId: chainId, DiffId: diffId, Size: size })),
      ConfigJson: image.configJson,
      Labels: { ...image.config.labels },
      StopSignal: image.config.stopSignal ?? '',
      Parent: image.committedFrom ?? '',
    },
  };
}
