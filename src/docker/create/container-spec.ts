/** POST /containers/create as our own specification of a container. Pure. */
import type { References } from '../../model/desired.ts';
import { type ContainerSpec, containerSchema } from '../../model/kinds/container.ts';
import { membershipsOf } from '../../model/kinds/network-membership.ts';
import { networkKey } from '../../model/network-mode.ts';
import { IMPERATIVE_APP } from '../../model/resource.ts';
import { containerBody } from './container-body.ts';
import { type CreateContext, refuse } from './context.ts';
import { healthSection } from './health.ts';
import { logSection } from './log.ts';
import { mountsSection, type NewVolume } from './mounts/mounts.ts';
import { checkSysctls, namespacesSection } from './namespaces.ts';
import { networksSection } from './networks.ts';
import { portsSection } from './ports.ts';
import { processSection } from './process.ts';
import { resourcesSection } from './resources.ts';
import { restartSection } from './restart.ts';
import { securitySection } from './security.ts';

export interface TranslatedContainer {
  /** As a manifest would write it. */
  readonly written: Readonly<Record<string, unknown>>;
  readonly spec: ContainerSpec;
  readonly references: References;
  /** Named volumes that are not there yet. */
  readonly newVolumes: readonly NewVolume[];
  readonly autoRemove: boolean;
  /** Texts for `Warnings` of the answer. */
  readonly warnings: readonly string[];
}

/** What the field tables refuse, in one sentence. @throws DockerError 400 */
function checked(written: unknown): ContainerSpec {
  const result = containerSchema.safeParse(written);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  return refuse(`invalid container: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

/**
 * @param body as it was sent, any JSON
 * @throws DockerError with Docker's words
 */
export function specOfCreate(body: unknown, context: CreateContext): TranslatedContainer {
  const read = containerBody(body);
  const { HostConfig } = read;
  const mounts = mountsSection(read, context);
  const networks = networksSection(read, context);
  const namespaces = namespacesSection(read, context);
  const sections = [
    processSection(read, context),
    healthSection(read.Healthcheck, context.image, read.Shell),
    restartSection(HostConfig.RestartPolicy, HostConfig.AutoRemove),
    securitySection(HostConfig),
    namespaces,
    resourcesSection(HostConfig, context.cpus),
    mounts,
    networks,
    portsSection(read, context, networks.publishes),
    logSection(HostConfig.LogConfig),
  ];
  const written = Object.fromEntries([
    ['image', context.imageId],
    ...sections.flatMap((section) => Object.entries(section.written)),
  ]);
  const spec = checked(written);
  checkSysctls(spec);
  return {
    written,
    spec,
    references: {
      image: null,
      volumes: mounts.volumes,
      networks: membershipsOf(spec).map(({ network }) => networkKey(IMPERATIVE_APP, network)),
      networkContainer: networks.networkContainer,
      ...(namespaces.namespaceContainers.length > 0 && { namespaceContainers: namespaces.namespaceContainers }),
      links: networks.links.map(({ key }) => key),
      volumesFrom: mounts.volumesFrom,
      dependsOn: [],
      bases: [],
    },
    newVolumes: mounts.newVolumes,
    autoRemove: HostConfig.AutoRemove,
    warnings: sections.flatMap(({ warnings = [] }) => warnings),
  };
}
