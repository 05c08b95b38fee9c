/** Puts what a take-over works on into the groups that it asks for. */
import type { AdoptionParts } from '../../supervisor/take-over/take-over.ts';
import type { Parts } from './op-ports.ts';

type AdoptionPorts = Omit<AdoptionParts, 'timers' | 'onFound' | 'onProblem' | 'onAnswer'>;

export function adoptionPorts(parts: Parts): AdoptionPorts {
  const { desired, containers, exec, unanswered, graph, network, networks, endpoints, links, leases } = parts;
  const { clock, bootId, exits, fileReaders } = parts;
  return {
    containers,
    exec,
    unanswered,
    input: { graph, exec, bootId },
    runs: { clock, bootId, containers, exec, network, exits, fileReaders },
    networks: { desired, containers, exec, network, networks, reach: endpoints },
    names: { containers, links },
    leases: { containers, leases },
  };
}
