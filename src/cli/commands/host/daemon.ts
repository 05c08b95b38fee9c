import { resolve } from 'node:path';
import { DEFAULT_GROUP } from '../../../api/address.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { SETTINGS, type SettingName } from '../../../settings/settings.ts';
import { type Command, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { printErrors } from '../../errors.ts';
import { EXIT } from '../../exit-codes.ts';
import { collect } from '../../options.ts';
import { ownSettings } from '../../own-files.ts';

type DaemonOptions = Partial<Record<SettingName, unknown>> & { readonly config?: string };

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Runs the supervisor in the foreground, as root. It watches the manifests directory and answers on the socket until SIGTERM ' +
      'or SIGINT. Containers keep running without it, and the next start takes them over, unless --stop-containers is given. A third signal ' +
      'leaves containers that do not stop; a fourth ends it at once. SIGQUIT logs which jobs run, then ends it; with DEBUG set it ends at once.\n\n' +
      'Each setting can also come from the environment, as TSDOCKER_ and its name (TSDOCKER_RUN_DIR; lists separated by commas), or ' +
      'in the config file under its camelCase name (runDir: /run/x). A flag wins over the environment, and that over the file.',
    examples: [
      ['tsdocker daemon', 'Run with the defaults; usually systemd does: systemctl enable --now tsdocker'],
      [
        'tsdocker daemon --root /tmp/t/root --run-dir /tmp/t/run --manifests ./apps --default-bridge tsdtest0',
        'A second supervisor on the same host',
      ],
      ['tsdocker -d -g /srv/tsdocker', 'The same, as `docker -d` was written'],
      [
        'TSDOCKER_TRACE=ffi tsdocker daemon 2> trace.log',
        'Write each call of native code to a file, to find one that fails',
      ],
      [
        'tsdocker daemon --icc=false --dns 10.0.0.53',
        'Containers reach each other only through links, and use this name server',
      ],
    ],
    exitCodes: [
      ['0', 'stopped by a signal'],
      ['1', 'a setting is wrong, the supervisor cannot start, or something could not be closed'],
      ['128 + N', 'the fourth signal, of number N, ended it at once'],
    ],
  });
  for (const { flags, doc, ...setting } of Object.values(SETTINGS)) {
    const option = new Option(flags, doc);
    if (option.value === 'optional') option.preset('true');
    if ('list' in setting) option.argParser(collect);
    command.addOption(option);
    if ('alias' in setting)
      command.addOption(new Option(setting.alias, `the same as ${option.long}, as Docker has it`));
  }
  command.option('--config <file>', 'config file (default: /etc/tsdocker/daemon.yaml, when it exists)');
  command.action(context.action((options: DaemonOptions) => run(context, options)));
}

/** On the command line a path means what it means to every other program there. */
const PATHS = (Object.keys(SETTINGS) as SettingName[]).filter((name) => /<(dir|file)>$/.test(SETTINGS[name].flags));

const aliasOf = (name: SettingName): string | null => {
  const setting = SETTINGS[name];
  return 'alias' in setting ? new Option(setting.alias, '').key : null;
};

/** Values under the names of settings, whichever flag they came with. */
function withoutAliases(given: Readonly<Record<string, unknown>>): Omit<DaemonOptions, 'config'> {
  const flags: Record<string, unknown> = { ...given };
  for (const name of Object.keys(SETTINGS) as SettingName[]) {
    const alias = aliasOf(name);
    if (alias === null || flags[alias] === undefined) continue;
    if (flags[name] !== undefined && flags[name] !== flags[alias]) {
      throw new TsdError('TSD_FLAG', `${SETTINGS[name].flags} and --${alias} name two different values`, {
        hint: 'They are the same setting: give one of them.',
      });
    }
    flags[name] = flags[alias];
    delete flags[alias];
  }
  return flags;
}

function absolute(flags: Omit<DaemonOptions, 'config'>, cwd: string): Omit<DaemonOptions, 'config'> {
  const given = PATHS.flatMap((name) => {
    const path = flags[name];
    return typeof path === 'string' && path !== '' ? [[name, resolve(cwd, path)] as const] : [];
  });
  return { ...flags, ...Object.fromEntries(given) };
}

async function run(context: CliContext, { config: configFile, ...given }: DaemonOptions): Promise<number> {
  const { loadDaemonConfig } = await import('../../../settings/daemon-config.ts');
  const { env, cwd } = context.streams;
  const flags = absolute(withoutAliases(given), cwd);
  const { config, errors } = loadDaemonConfig({
    flags,
    env,
    configFile: configFile === undefined ? null : resolve(cwd, configFile),
    // What the file itself says of the group of the socket does not count for the file.
    gate: ownSettings(context, String(flags.group ?? env[SETTINGS.group.env] ?? DEFAULT_GROUP)),
  });
  if (config === null) {
    printErrors(context, errors);
    return EXIT.error;
  }
  const { runDaemon } = await import('../../../main.ts');
  await runDaemon(config);
  return EXIT.ok;
}
