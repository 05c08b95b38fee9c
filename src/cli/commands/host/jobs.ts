import type { JobsView, JobView, RunningJobView } from '../../../api/jobs.ts';
import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { type Column, formatTable } from '../../output/table.ts';
import { formatAge } from '../../output/text.ts';

interface JobsOptions {
  readonly output: OutputFormat;
  readonly running?: boolean;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Lists the jobs that run in the supervisor, and all that it can run: everything it does is one of them. Arguments ' +
      'and variables that may be secret are shown as …; `tsdocker job NAME` runs one.',
    examples: [
      ['tsdocker jobs', 'What runs, who asked for it and since when; then every job with its arguments'],
      ['tsdocker jobs --running', 'Only what runs'],
      ["tsdocker jobs -o json | jq -r '.running[] | select(.ms > 60000) | .name'", 'What takes longer than a minute'],
    ],
  });
  command.option('--running', 'only those that run');
  command.addOption(outputOption('table', 'wide', 'json', 'yaml', 'name'));
  command.action(context.action((options: JobsOptions) => run(context, options)));
}

async function run(context: CliContext, { output, running }: JobsOptions): Promise<number> {
  const client = await context.client();
  const view = await client.jobs();
  if (isData(output)) await context.printData(running === true ? { running: view.running } : view, output);
  else if (output === 'name') context.print(names(view, running === true));
  else printTables(context, view, running === true, output === 'wide');
  return EXIT.ok;
}

function names({ jobs, running }: JobsView, onlyRunning: boolean): string {
  return (onlyRunning ? running : jobs).map(({ name }) => `${name}\n`).join('');
}

const runningColumns = (nowMs: number): readonly Column<RunningJobView>[] => [
  { title: 'RUNNING', value: ({ name }) => name },
  { title: 'FOR', value: ({ since }) => formatAge(since, nowMs) },
  { title: 'ASKED BY', value: askedBy, leaveOut: 1 },
  { title: 'STATE', value: ({ calledOff }) => (calledOff ? 'cancelled' : ''), leaveOut: 2 },
  { title: 'ARGUMENTS', value: ({ args, env }) => [...args, ...env].join(' ') },
];

const JOBS: readonly Column<JobView>[] = [
  { title: 'JOB', value: ({ name }) => name },
  { title: 'ARGUMENTS', value: ({ args }) => args, min: 12, leaveOut: 2 },
  { title: 'RUN BY', value: ({ instead }) => (instead === null ? 'anybody' : 'supervisor'), leaveOut: 1 },
  { title: 'WHAT IT DOES', value: ({ summary }) => summary },
];

function askedBy({ by }: RunningJobView): string {
  if (by === null) return 'supervisor';
  return by.user ?? `uid ${by.uid}`;
}

function printTables(context: CliContext, { jobs, running }: JobsView, onlyRunning: boolean, wide: boolean): void {
  if (running.length > 0) context.print(formatTable(context, runningColumns(context.streams.now()), running, wide));
  else context.warn('No job runs.');
  if (!onlyRunning) context.print(`\n${formatTable(context, JOBS, jobs, wide)}`);
}
