/** graph/<id>/json: Docker 1.4's fields in their order, then ours under the one key `Tsdocker`. */

import { RUN_CONFIG } from '../containers/run-config.ts';
import {
  type GoValue,
  goInt,
  goMap,
  goPointer,
  goSlice,
  goString,
  goStruct,
  goTimeText,
  omitEmpty,
} from '../files/go-json.ts';

const LAYER = goStruct({ ChainId: goString, DiffId: goString, Size: goInt });

const EXTENSION = goStruct({
  /** The image's layers, bottom first. */
  Layers: goSlice(LAYER),
  /** The OCI configuration byte for byte, so that its digest, the image's id, can be proved. */
  ConfigJson: goString,
  Labels: goMap(goString),
  StopSignal: goString,
  /** The image of the container that it was committed from. */
  Parent: omitEmpty(goString),
});

/** An image. Ours are empty diffs whose `parent` is the ChainID of their top layer; those of Docker 1.4 are layers. */
export const IMAGE_JSON = goStruct({
  id: goString,
  parent: omitEmpty(goString),
  comment: omitEmpty(goString),
  created: goTimeText,
  container: omitEmpty(goString),
  container_config: RUN_CONFIG,
  docker_version: omitEmpty(goString),
  author: omitEmpty(goString),
  config: omitEmpty(goPointer(RUN_CONFIG)),
  architecture: omitEmpty(goString),
  os: omitEmpty(goString),
  checksum: goString,
  Size: goInt,
  Tsdocker: omitEmpty(goPointer(EXTENSION)),
});
export type ImageRecord = GoValue<typeof IMAGE_JSON>;
