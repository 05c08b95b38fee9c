/**
 * The import rules of ARCHITECTURE.md, checked by `npm run lint:imports`. A rule names who may not see what.
 */
const only = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^src/', pathNot: [from, ...allowed] },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    only('model-sees-nothing', '^src/model/', [], 'model imports nothing of ours'),
    only('ffi-sees-model', '^src/ffi/', ['^src/model/'], 'ffi sees only model'),
    only('engine-sees-model-ffi', '^src/engine/', ['^src/model/', '^src/ffi/'], 'engine sees model and ffi'),
    only(
      'manifest-sees-model',
      '^src/manifest/',
      ['^src/model/', '^src/ffi/'],
      'manifest never sees drivers, state or reconcile',
    ),
    only(
      'state-sees-model-ffi',
      '^src/state/',
      ['^src/model/', '^src/ffi/', '^src/drivers/contract\\.ts$'],
      'state sees model, ffi and the contract types',
    ),
    only(
      'images-see-contract',
      '^src/images/',
      ['^src/model/', '^src/ffi/', '^src/drivers/contract\\.ts$'],
      'images never see a concrete driver',
    ),
    only('plan-is-pure', '^src/reconcile/(plan/|op\\.ts|phase\\.ts)', ['^src/model/'], 'the planner sees only model'),
    {
      name: 'pure-files-use-no-node',
      severity: 'error',
      from: { path: ['^src/reconcile/(plan/|op\\.ts|phase\\.ts)', '^src/model/'] },
      to: { dependencyTypes: ['core'], pathNot: [] },
    },
    {
      name: 'reconcile-sees-the-contract-only',
      severity: 'error',
      from: { path: '^src/reconcile/' },
      to: { path: '^src/(drivers/(?!contract\\.ts$)|api|cli|main)' },
    },
    {
      name: 'drivers-see-model-contract-ffi',
      severity: 'error',
      from: { path: '^src/drivers/(graph|network|exec)/' },
      to: {
        path: '^src/',
        pathNot: ['^src/model/', '^src/ffi/', '^src/drivers/contract\\.ts$', '^src/drivers/(graph|network|exec)/'],
      },
    },
    {
      name: 'drivers-of-one-family-stay-apart',
      severity: 'error',
      from: { path: '^src/drivers/(graph|network|exec)/([^/]+)/' },
      to: {
        path: '^src/drivers/(graph|network|exec)/',
        pathNot: ['^src/drivers/$1/$2/', '^src/drivers/$1/[^/]+\\.ts$'],
      },
    },
    {
      name: 'ffi-rs-stays-inside',
      severity: 'error',
      from: { pathNot: '^src/ffi/foreign\\.ts$' },
      to: { path: 'node_modules/ffi-rs' },
    },
    {
      name: 'system-calls-by-name-outside-ffi',
      comment: 'calls by number meet no table of races',
      severity: 'error',
      from: { pathNot: '^src/ffi/' },
      to: { path: '^src/ffi/foreign\\.ts$' },
    },
    {
      name: 'openat2-stays-in-lookup',
      comment: 'every lookup below a directory is retried and judged in one place',
      severity: 'error',
      from: { pathNot: '^src/ffi/lookup\\.ts$' },
      to: { path: '^src/ffi/openat2\\.ts$' },
    },
    {
      name: 'nobody-imports-cli-or-main',
      severity: 'error',
      from: { pathNot: ['^src/cli/', '^src/main\\.ts$', '^(test|bench|scripts)/'] },
      to: { path: '^src/(cli/|main\\.ts)' },
    },
    {
      name: 'concrete-drivers-only-in-the-registry',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/drivers/'] },
      to: { path: '^src/drivers/(graph|network|exec)/[^/]+/' },
    },
    {
      name: 'no-orphan-dependencies',
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
