/** Parts on which everything works that runs: they are closed after it. */
export const WORKED_ON = [
  'what was changed on the host',
  'names of networks',
  'network drivers',
  'graph driver',
  'exec driver',
  'history.db',
  'linkgraph.db',
] as const;
