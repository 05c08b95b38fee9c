/** Sections of systemd that are the same in all Quadlet units. */
import type { Draft, ResourceDraft } from '../draft.ts';
import type { KeyTable } from './rules.ts';

const ONLY = 'no meaning: it is for systemd';

/** Keys known by name get a plain reason; systemd has hundreds more, which are reported as unknown. */
const KEYS = (
  'Description Documentation Wants Requires Requisite BindsTo PartOf Upholds Conflicts Before After OnFailure ' +
  'DefaultDependencies RequiresMountsFor WantedBy RequiredBy UpheldBy Alias Also Restart RestartSec ' +
  'Type RemainAfterExit TimeoutStartSec TimeoutStopSec Environment EnvironmentFile SyslogIdentifier DynamicUser ' +
  'User Group Delegate KillMode ExecStartPre ExecStartPost ExecStop ExecStopPost ExecReload StartLimitBurst ' +
  'StartLimitIntervalSec WorkingDirectory PropagatesStopTo PropagatesReloadTo StopWhenUnneeded'
).split(' ');

export const SYSTEMD_ONLY: KeyTable<ResourceDraft | Draft> = {
  ...Object.fromEntries(KEYS.map((key) => [key, ONLY])),
  // Read where templates are.
  DefaultInstance: () => {},
};
