/** Puts what a look at everything reads into the groups that it asks for. */
import type { HostFacts } from '../../reconcile/host-facts.ts';
import { Observer } from '../../reconcile/observe.ts';
import { ContainerSight } from '../../reconcile/observed-container.ts';
import type { OutlookPorts } from '../../reconcile/preflight.ts';
import type { Parts } from './op-ports.ts';

/** What everything looks like, and single containers. */
export interface Observing {
  readonly observer: Observer;
  readonly sight: ContainerSight;
}

export function createObserver(parts: Parts, hostFacts: () => HostFacts): Observing {
  const { desired, clock, bootId, graph, network, networks, exec, containers, imageStores, volumes, links } = parts;
  const { images, leases, drifts, unanswered, leftDown, health, builds, making, resources, defaultNetwork } = parts;
  const { failures, updates, approvals, settings, paths } = parts;
  const sight = new ContainerSight({
    clock,
    bootId,
    graph,
    containers,
    runs: { exec, unanswered, leftDown, health, images },
    network,
    networks,
    drifts,
  });
  const owners = { containers, leases, builds, making, resources, defaultNetwork };
  const observer = new Observer({
    desired,
    clock,
    network,
    containers,
    sight,
    of: {
      images: { ...imageStores, images, graph },
      volumes: { volumes, containers },
      networks: { resources, settings, defaultNetwork, drifts },
    },
    orphans: { containers, exec, graph, images, volumes, links, leases, owners },
    outlook: outlookPorts(parts, hostFacts),
    remembered: { failures, updates, approvals },
    paths,
  });
  return { observer, sight };
}

function outlookPorts(parts: Parts, hostFacts: () => HostFacts): OutlookPorts {
  const { containers, links, approvals, paths, contents, images, imageStores, network, networks, settings, exec } =
    parts;
  return {
    containers,
    damaged: { containers, links, approvals },
    binds: { paths, contents },
    images,
    imageStores,
    hostPorts: { network, networks, settings },
    exec,
    hostFacts,
  };
}
