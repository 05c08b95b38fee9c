import { setTimeout as sleep } from 'node:timers/promises';
import type { SupervisorClient } from '../../../api/client.ts';
import type { InfoView, ResolverInfo } from '../../../api/views/host-views.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { manifestNote } from '../../manifest-notes.ts';
import { waitOption } from '../../options.ts';
import { formatPairs } from '../../output/table.ts';
import { formatBytes, printable } from '../../output/text.ts';

interface InfoOptions {
  readonly output: OutputFormat;
  /** Milliseconds. */
  readonly wait?: number;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Shows the supervisor: its directories, drivers, generation and counts, the host, and warnings about it.',
    examples: [
      ['tsdocker info', 'Everything at a glance'],
      ['tsdocker info -o json | jq -r .root', 'Where the state is, for a script'],
      ['tsdocker info --wait', 'In a script, after the supervisor was started: wait until it answers'],
    ],
  });
  command.addOption(outputOption('table', 'json', 'yaml'));
  command.addOption(waitOption('wait for a supervisor that is about to start'));
  command.action(context.action((options: InfoOptions) => run(context, options)));
}

/** Between two questions to a supervisor that does not answer yet. */
const ASK_AGAIN_MS = 50;

async function askUntil(client: SupervisorClient, waitMs: number): Promise<InfoView> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    try {
      return await client.info();
    } catch (error) {
      const isAbsent = error instanceof TsdError && error.code === 'TSD_NO_SUPERVISOR';
      if (!isAbsent || performance.now() >= deadline) throw error;
      await sleep(ASK_AGAIN_MS);
    }
  }
}

async function run(context: CliContext, { output, wait = 0 }: InfoOptions): Promise<number> {
  const client = await context.client();
  const info = await askUntil(client, wait);
  if (isData(output)) {
    await context.printData(info, output);
    return EXIT.ok;
  }
  context.print(
    formatPairs([
      ['Version', info.version],
      ['Generation', info.generation],
      ['Containers', `${info.containers}, ${info.running} running`],
      ['Images', info.images],
      ['Names', info.resolver ? namesText(info.resolver) : null],
      ['Root', info.root],
      ['Run directory', info.runDir],
      ['Manifests', info.manifests],
      ['Socket', info.socket],
      ['Instance', info.instance],
      ['ID', info.id],
      ['Drivers', `graph ${info.graphDriver}, network ${info.networkDriver}, exec ${info.execDriver}`],
      ['Default bridge', info.defaultBridge],
      ['New networks', families(info.newNetworks)],
      ['Host', `Linux ${info.kernel}, ${info.cpus} CPUs, ${formatBytes(info.memoryBytes)}`],
      ['Control groups', info.cgroupVersion === null ? 'none mounted' : `version ${info.cgroupVersion}`],
      ['Limits', `memory ${answer(info.memoryLimit, 'yes', 'no')}, swap ${answer(info.swapLimit, 'yes', 'no')}`],
      ['IPv4 forwarding', answer(info.ipv4Forwarding, 'on', 'off')],
      ['IPv6 forwarding', answer(info.ipv6Forwarding, 'on', 'off')],
      ['AppArmor', answer(info.appArmor, 'on', 'off')],
      ['Labels', info.labels.length > 0 ? info.labels.join(', ') : null],
    ]),
  );
  for (const warning of info.warnings) context.warn(`warning: ${printable(warning)}`);
  const note = await manifestNote(client);
  if (note !== null) context.warn(note);
  return EXIT.ok;
}

/** `resolver running (pid 812), 3 containers, 1 port relayed, 54.2 MB, restarted 0 times`. */
function namesText({ state, pid, containers, ports, restarts, memoryBytes, problem }: ResolverInfo): string {
  if (state === 'off') return 'resolver off: no container needs it';
  const parts = [
    `resolver ${state}${pid === null ? '' : ` (pid ${pid})`}`,
    `${containers} containers ask it`,
    `${ports} ports relayed`,
    ...(memoryBytes === null ? [] : [formatBytes(memoryBytes)]),
    ...(restarts === 0 ? [] : [`started again ${restarts} times`]),
  ];
  return problem === null ? parts.join(', ') : `${parts.join(', ')}: ${printable(problem)}`;
}

function families({ ipv6, lacking }: InfoView['newNetworks']): string {
  if (ipv6) return 'IPv4 and IPv6';
  return lacking === null ? 'IPv4' : `IPv4, without IPv6: ${lacking}`;
}

const answer = (value: boolean | null, yes: string, no: string): string =>
  value === true ? yes : value === false ? no : 'unknown';
