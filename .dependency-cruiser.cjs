/**
 * The import rules, checked by `npm run lint:imports`. What a layer may import stands in scripts/layers.cjs; here are the
 * rules about single files. `npm run generate` writes both to ARCHITECTURE.md: a rule's comment is its text there.
 */
const { layerRules } = require('./scripts/layers.cjs');

module.exports = {
  forbidden: [
    ...layerRules(),
    {
      name: 'no-cycles',
      comment: 'No file imports itself by way of others.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'pure-files-use-no-node',
      comment: 'Model and planner use no module of Node: the same input gives the same result.',
      severity: 'error',
      from: { path: ['^src/reconcile/(plan/|(op|op-traits|phase)\\.ts)', '^src/model/'] },
      to: { dependencyTypes: ['core'], pathNot: [] },
    },
    {
      name: 'drivers-of-one-family-stay-apart',
      comment:
        'A driver never imports another driver; files beside the folders of its family are shared, and network/l2/ by the drivers of interfaces on an interface of the host.',
      severity: 'error',
      from: { path: '^src/drivers/(graph|network|exec)/([^/]+)/' },
      to: {
        path: '^src/drivers/(graph|network|exec)/',
        pathNot: ['^src/drivers/$1/$2/', '^src/drivers/$1/[^/]+\\.ts$', '^src/drivers/network/l2/'],
      },
    },
    {
      name: 'the-resolver-is-another-program',
      comment: 'Of the resolver, which is another program, others import protocol.ts alone.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/resolver/' },
      to: { path: '^src/resolver/', pathNot: '^src/resolver/protocol\\.ts$' },
    },
    {
      name: 'ffi-rs-stays-inside',
      comment: 'Only src/ffi/call/foreign.ts imports ffi-rs.',
      severity: 'error',
      from: { pathNot: '^src/ffi/call/foreign\\.ts$' },
      to: { path: 'node_modules/ffi-rs' },
    },
    {
      name: 'system-calls-by-name-outside-ffi',
      comment: 'Only src/ffi/ imports foreign.ts: calls by number meet no table of races.',
      severity: 'error',
      from: { pathNot: '^src/ffi/' },
      to: { path: '^src/ffi/call/foreign\\.ts$' },
    },
    {
      name: 'openat2-stays-in-lookup',
      comment:
        'Only src/ffi/files/lookup.ts imports openat2.ts: every lookup below a directory is retried and judged in one place.',
      severity: 'error',
      from: { pathNot: '^src/ffi/files/lookup\\.ts$' },
      to: { path: '^src/ffi/files/openat2\\.ts$' },
    },
    {
      name: 'concrete-drivers-only-in-the-registry',
      comment: 'Only src/drivers/ imports the folder of a driver; others go through the registry.',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/drivers/'] },
      to: { path: '^src/drivers/(graph|network|exec)/[^/]+/' },
    },
    {
      name: 'no-orphan-dependencies',
      comment: 'The program imports no package that only development installs.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js'],
    },
  },
};
