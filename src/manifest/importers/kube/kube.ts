/** Kubernetes objects as manifests: pods and what makes pods, with the ConfigMaps, Secrets, claims and Services they use. */
import { basename } from 'node:path';
import type { Draft, ImportContext } from '../draft.ts';
import { safeName } from '../names.ts';
import type { Part } from '../part.ts';
import { Config } from './config.ts';
import { PodImporter, type Workload } from './pod.ts';
import { type Pod, publishService } from './service.ts';

/** What makes pods, and the members of `spec` that have a meaning here besides `template`. */
const TEMPLATED = ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'ReplicationController', 'Job'];
const CONFIGURATION = ['ConfigMap', 'Secret', 'PersistentVolumeClaim', 'Service'];

const kindOf = (object: Part): string => object.textOf('kind') ?? '';

/** Objects, with lists written out. */
function flatten(documents: readonly Part[]): Part[] {
  return documents.flatMap((document) =>
    /List$/.test(kindOf(document)) && document.get('items')
      ? flatten(document.get('items')?.items() ?? [])
      : [document],
  );
}

const WITHOUT_MEANING: Readonly<Record<string, string>> = {
  selector: '',
  template: '',
  serviceName: '',
  replicas: 'read',
};

function reportSpec(spec: Part | undefined, draft: Draft): void {
  for (const [key, part] of spec?.entries() ?? []) {
    if (key === 'replicas' && !['0', '1'].includes(part.text())) {
      draft.warn(part.keyAt, `${part.text()} replicas were asked for; one runs in this version`);
    } else if (key === 'volumeClaimTemplates') {
      for (const claim of part.items()) {
        const name = safeName(claim.get('metadata')?.textOf('name') ?? '');
        if (name !== null) draft.resource('volumes', name, claim.at);
      }
    } else if (!Object.hasOwn(WITHOUT_MEANING, key))
      draft.warn(part.keyAt, `${key}: pods are not made and replaced by a controller here`);
  }
}

/** The pod of an object; null, with a warning or issue, when it has none. */
function workloadOf(object: Part, draft: Draft): Workload | null {
  const kind = kindOf(object);
  const name = object.get('metadata')?.textOf('name') ?? '';
  const spec = object.get('spec');
  const own = safeName(name);
  if (own === null) {
    draft.refuse(object.at, `${kind} has no name; metadata.name is needed`);
    return null;
  }
  if (kind === 'Pod')
    return { name: own, metadata: object.get('metadata'), spec, position: object.at, defaultRestart: 'Always' };
  reportSpec(spec, draft);
  if (spec?.textOf('replicas') === '0') {
    draft.warn(object.at, `${kind} ${name} is left out: it has 0 replicas`);
    return null;
  }
  const template = spec?.get('template');
  return {
    name: own,
    metadata: template?.get('metadata'),
    spec: template?.get('spec'),
    position: object.at,
    defaultRestart: kind === 'Job' ? 'Never' : 'Always',
  };
}

export function importKubernetes(documents: readonly Part[], context: ImportContext, draft: Draft): readonly Pod[] {
  if (draft.value.app === undefined) {
    const app = safeName(basename(context.file).replace(/\.ya?ml$/, ''));
    if (app !== null) draft.nameApp(app, draft.start);
  }
  const objects = flatten(documents);
  const config = new Config(objects, draft);
  const pods: Pod[] = [];
  for (const object of objects) {
    const kind = kindOf(object);
    if (kind === 'Pod' || TEMPLATED.includes(kind)) {
      const workload = workloadOf(object, draft);
      const pod = workload && new PodImporter(workload, config, draft).add();
      if (pod) pods.push(pod);
    } else if (kind === 'CronJob') draft.refuse(object.at, 'CronJob is not in this version');
    else if (!CONFIGURATION.includes(kind))
      draft.warn(object.at, `${kind || 'an object without kind'} is left out: it has no meaning on one host`);
  }
  for (const service of objects.filter((object) => kindOf(object) === 'Service')) publishService(service, pods, draft);
  if (pods.length === 0) draft.warn(draft.start, 'there is no pod in this file, so nothing runs');
  return pods;
}
