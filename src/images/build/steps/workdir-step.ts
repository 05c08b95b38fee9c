import { inSlices } from '../../../ffi/slices.ts';
import type { Instruction } from '../../../model/dockerfile/instruction.ts';
import { fromBytes } from '../../tar/header.ts';
import type { BuildStage, LayerStep } from '../build-stage.ts';
import { LayerEntries } from '../files/image-paths.ts';
import { makeLayer } from '../layer-writer.ts';

/** WORKDIR: the directory is created if it is missing. */
export function workdirStep(
  stage: BuildStage,
  directory: string,
  { place }: Instruction,
  use: (step: LayerStep) => Promise<void>,
): Promise<void> {
  const make = (): ReturnType<LayerStep['make']> =>
    stage.withRoot(async (root) => {
      const entries = new LayerEntries(root, place);
      const path = entries.locate(fromBytes(Buffer.from(directory)));
      if (entries.isDirectory(path)) return null;
      entries.directory(path, { uid: 0, gid: 0 }, Math.floor(Date.parse(stage.created()) / 1000));
      const all = await inSlices(entries.all());
      return makeLayer(stage.state.layers, () => all, stage.context.host.load);
    });
  return use({ key: {}, make });
}
