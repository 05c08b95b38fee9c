/** What services of a Compose file need of each other: `depends_on` and `links` as our links. */
import type { SourcePosition } from '../../../model/resource.ts';
import type { ResourceDraft } from '../draft.ts';
import { isMode } from '../network-mode.ts';
import type { FieldTable, Part } from '../part.ts';
import type { Attachment } from './networks.ts';

export interface Placed {
  readonly service: Part;
  readonly container: ResourceDraft;
  readonly attachment: Attachment;
}

interface Need {
  readonly target: string;
  readonly alias: string;
  readonly position: SourcePosition;
  /** That it has ended with 0, not that it can be talked to. */
  readonly completed: boolean;
  /** Without it the service starts anyway. */
  readonly optional?: boolean;
}

const CONDITIONS = ['service_started', 'service_healthy', 'service_completed_successfully'];

interface Dependency {
  readonly container: ResourceDraft;
  completed: boolean;
  optional: boolean;
}

const DEPENDENCY: FieldTable<Dependency> = {
  condition: (part, dependency) => {
    const condition = part.text();
    dependency.completed = condition === 'service_completed_successfully';
    if (!CONDITIONS.includes(condition))
      dependency.container.warn(
        part.at,
        `${JSON.stringify(condition.slice(0, 60))} is not a condition; it waits until ready`,
      );
  },
  restart: (part, { container }) => {
    if (part.boolean() === true) container.set('onDependencyRestart', 'restart', part.keyAt);
  },
  required: (part, dependency) => {
    dependency.optional = part.boolean() === false;
    if (dependency.optional)
      dependency.container.warn(part.keyAt, 'required: false: what is declared is waited for all the same');
  },
};

/** Without a network in common one can still wait for the other. */
function canLink(from: Attachment, to: Attachment): boolean {
  return from.networks.some((network) => !isMode(network) && to.networks.includes(network));
}

function dependencies(service: Part, container: ResourceDraft): Need[] {
  const part = service.get('depends_on');
  if (!part || part.isNothing) return [];
  if (part.content.type === 'list') {
    return part.items().map((item) => ({
      target: item.text(),
      alias: item.text(),
      position: item.at,
      completed: false,
    }));
  }
  return part.entries().map(([name, options]) => {
    const dependency: Dependency = { container, completed: false, optional: false };
    if (!options.isNothing) options.each(DEPENDENCY, dependency, container);
    const { completed, optional } = dependency;
    return { target: name, alias: name, position: options.keyAt, completed, optional };
  });
}

function links(service: Part): Need[] {
  const part = service.get('links');
  if (!part || part.isNothing) return [];
  return part.items().map((item) => {
    const [target = '', alias = target] = item.text().split(':');
    return { target, alias, position: item.at, completed: false };
  });
}

/** Adds the links of one service. */
export function addLinks(
  { service, container, attachment }: Placed,
  services: ReadonlyMap<string, Placed>,
  known: ReadonlySet<string>,
): void {
  const aliases = new Set<string>();
  for (const { target, alias, position, completed, optional } of [
    ...dependencies(service, container),
    ...links(service),
  ]) {
    const other = services.get(target);
    if (!other) {
      if (known.has(target) || optional) container.warn(position, `${target} is left out, so it is not waited for`);
      else container.refuse(position, `there is no service ${JSON.stringify(target)}`);
      continue;
    }
    if (completed || !canLink(attachment, other.attachment)) {
      container.append('dependsOn', completed ? `${other.container.name}:completed` : other.container.name, position);
      continue;
    }
    if (aliases.has(alias)) continue;
    aliases.add(alias);
    const own = other.container.name;
    container.append('links', alias === own ? own : `${own}:${alias}`, position);
  }
}
