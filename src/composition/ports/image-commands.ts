/** What a person asks of images: builds, files, registries. */
import { recipesOf } from '../../reconcile/ops/images/image-intake.ts';
import { Builds } from '../../supervisor/images/builds.ts';
import { ImageFiles } from '../../supervisor/images/image-files.ts';
import { RegistryCommands } from '../../supervisor/images/registry-commands.ts';
import type { ComingContainers } from '../../supervisor/requests/coming-containers.ts';
import type { SupervisorParts } from '../../supervisor/supervisor.ts';
import type { Wired } from '../wire.ts';
import { garbagePorts } from './garbage-ports.ts';

export function createImageCommands(
  wired: Wired,
  coming: ComingContainers,
): Pick<SupervisorParts, 'builds' | 'imageFiles' | 'registry'> {
  const { builder, imageWork, repositories } = wired.opened.parts;
  return {
    builds: new Builds({ builder, imageWork, repositories }),
    imageFiles: createImageFiles(wired, coming),
    registry: createRegistryCommands(wired),
  };
}

function createImageFiles({ opened: { parts, kept }, pauses }: Wired, coming: ComingContainers): ImageFiles {
  const { desired, clock, imageWork, intake, trustPolicy, images, repositories, graph } = parts;
  const { containers, contents, volumes, exec } = parts;
  const garbage = garbagePorts(parts);
  const data = { desired, volumes, containers };
  const copies = { kept, users: { desired, containers, contents } };
  return new ImageFiles({
    clock,
    imageWork,
    intake: { ...intake, trustPolicy },
    images: { images, repositories },
    layers: { graph, recipes: recipesOf(intake) },
    trees: { graph, desired },
    layerTree: { images, graph, repositories },
    usage: { garbage, containers, exec, data, copies },
    prunes: { garbage, imageWork, data, copies },
    pauses,
    container: (name, signal) => coming.atRest(name, signal),
  });
}

function createRegistryCommands({ opened: { parts, stores, registry }, timeline, loop }: Wired): RegistryCommands {
  const { desired, images, repositories, resources, imageWork, intake, unusedImages, graph } = parts;
  const { imagesOfPast, settings, containers, exec } = parts;
  return new RegistryCommands({
    desired,
    images,
    repositories,
    digests: stores.digests,
    resources,
    imageWork,
    pulls: { registry, repositories, intake },
    removals: {
      images,
      repositories,
      unusedImages,
      users: { desired, imagesOfPast, settings, resources, containers, exec },
      reserve: stores.reserve,
      timeline,
    },
    layers: { graph, recipes: recipesOf(intake) },
    registry,
    enqueue: (keys) => loop.enqueue(keys),
  });
}
