const EVERYTHING = 'all but cli and main';

/**
 * The layers of src/ and what each may import: the one place that says it. .dependency-cruiser.cjs checks it, `npm run
 * generate` writes it to ARCHITECTURE.md. A file belongs to the first layer whose path matches; a layer may always
 * import itself. `mayImport` names other layers, `types` those of which only types may be imported.
 */
const LAYERS = [
  {
    name: 'model',
    path: '^src/model/',
    shown: '`src/model/`',
    job: 'the vocabulary: resources, field tables of the kinds, errors, phases, time',
    mayImport: [],
  },
  {
    name: 'ffi',
    path: '^src/ffi/',
    shown: '`src/ffi/`',
    job: 'the only place that calls native code',
    mayImport: ['model'],
  },
  {
    name: 'resolver',
    path: '^src/resolver/',
    shown: '`src/resolver/`',
    job: 'a program of its own that answers the DNS questions of containers and relays ports, and what it and the supervisor say to each other',
    mayImport: ['model', 'ffi'],
  },
  {
    name: 'manifest',
    path: '^src/manifest/',
    shown: '`src/manifest/`',
    job: 'YAML text → `DesiredState`, with every problem at its file:line:col',
    mayImport: ['model', 'ffi'],
  },
  {
    name: 'contract',
    path: '^src/drivers/contract/',
    shown: '`src/drivers/contract/`',
    job: 'what a driver of each family promises, as types',
    mayImport: ['model'],
    types: ['ffi'],
  },
  {
    name: 'drivers',
    path: '^src/drivers/',
    shown: '`src/drivers/`',
    job: 'registry, and one folder a driver: graph/, network/, exec/',
    mayImport: ['model', 'ffi', 'contract'],
  },
  {
    name: 'engine',
    path: '^src/engine/',
    shown: '`src/engine/`',
    job: 'Engine and Job, shutdown and signal rules',
    mayImport: ['model', 'ffi'],
  },
  {
    name: 'state',
    path: '^src/state/',
    shown: '`src/state/`',
    job: 'what is on disk: containers/, graph/, repositories, volumes/, linkgraph.db, history.db',
    mayImport: ['model', 'ffi'],
    types: ['contract'],
  },
  {
    name: 'images',
    path: '^src/images/',
    shown: '`src/images/`',
    job: 'image sources → layers and configuration',
    mayImport: ['model', 'ffi'],
    types: ['contract'],
  },
  {
    name: 'plan',
    path: '^src/reconcile/(plan/|(op|op-traits|phase)\\.ts$)',
    shown: '`src/reconcile/plan/`, `op.ts`, `op-traits.ts`, `phase.ts`',
    job: 'pure: desired + observed + now → `Plan`',
    mayImport: ['model'],
  },
  {
    name: 'task',
    path: '^src/reconcile/task/',
    shown: '`src/reconcile/task/`',
    job: "pure: one container's specification → what the exec driver runs",
    mayImport: ['model', 'state'],
    types: ['contract'],
  },
  {
    name: 'reconcile',
    path: '^src/reconcile/',
    shown: '`src/reconcile/`',
    job: 'observe, executor, work queue, controller, and one file an operation in `ops/`',
    mayImport: ['model', 'ffi', 'state', 'images', 'plan', 'task'],
    types: ['contract', 'engine', 'resolver'],
  },
  {
    name: 'api',
    path: '^src/api/',
    shown: '`src/api/`',
    job: 'routes, frames, client on the unix socket',
    mayImport: ['model', 'ffi'],
    types: ['contract'],
  },
  {
    name: 'settings',
    path: '^src/settings/',
    shown: '`src/settings/`',
    job: 'the settings of the daemon: flags, environment, file',
    mayImport: ['model', 'ffi', 'api'],
  },
  {
    name: 'supervisor',
    path: '^src/supervisor/',
    shown: '`src/supervisor/`',
    job: "the running whole: sources, generations, views, logs; implements the API's facade",
    mayImport: ['model', 'ffi', 'resolver', 'manifest', 'drivers', 'state', 'images', 'plan', 'reconcile', 'api'],
    types: ['contract', 'engine', 'settings'],
  },
  {
    name: 'docker',
    path: '^src/docker/',
    shown: '`src/docker/`',
    job: 'the Docker Engine API: routes, shapes of answers, and requests as desired state',
    mayImport: ['model', 'ffi', 'manifest', 'state', 'images', 'plan', 'reconcile', 'api', 'supervisor'],
    types: ['contract', 'engine'],
  },
  {
    name: 'composition',
    path: '^src/composition/',
    shown: '`src/composition/`',
    job: 'parts of the composition root: the steps open, wire, serve and stop, and what they put together',
    mayImport: [EVERYTHING],
  },
  {
    name: 'cli',
    path: '^src/cli/',
    shown: '`src/cli/`',
    job: 'one file a command: argv → one call → render → exit code',
    mayImport: ['model', 'manifest', 'images', 'api', 'settings', 'composition', 'main'],
    types: ['contract'],
  },
  {
    name: 'main',
    path: '^src/main\\.ts$',
    shown: '`src/main.ts`',
    job: 'composition root: with its folder the only place that constructs clock, state, drivers, controller',
    mayImport: [EVERYTHING],
  },
];

/** One pattern for the files of a layer: its path, and not the path of a layer that comes before it. */
function patternOf(name) {
  const at = LAYERS.findIndex((layer) => layer.name === name);
  if (at === -1) throw new Error(`no layer is named ${name}`);
  const before = LAYERS.slice(0, at).map(({ path }) => `(?!${path.slice(1)})`);
  return `^${before.join('')}${LAYERS[at].path.slice(1)}`;
}

function namesOf({ mayImport }) {
  if (!mayImport.includes(EVERYTHING)) return mayImport;
  return LAYERS.map(({ name }) => name).filter((name) => name !== 'cli' && name !== 'main');
}

/** The rules of the table as dependency-cruiser takes them: two a layer, for values and for types. */
function layerRules() {
  return LAYERS.flatMap((layer) => {
    const from = { path: patternOf(layer.name) };
    const seen = [layer.name, ...namesOf(layer)].map(patternOf);
    const types = (layer.types ?? []).map(patternOf);
    const comment = describeImports(layer);
    const rule = (name, to) => ({ name, comment, severity: 'error', from, to });
    const rules = [rule(`layer-${layer.name}`, { path: '^src/', pathNot: [...seen, ...types] })];
    if (types.length > 0) {
      rules.push(
        rule(`layer-${layer.name}-types-only`, { path: types, pathNot: seen, dependencyTypesNot: ['type-only'] }),
      );
    }
    return rules;
  });
}

function describeImports({ mayImport, types = [] }) {
  const words = [mayImport.join(', '), types.length === 0 ? '' : `types of ${types.join(', ')}`];
  return words.filter((part) => part !== '').join('; ') || 'nothing of ours';
}

module.exports = { LAYERS, describeImports, layerRules };
