/** docs/jobs.md, from the tables that jobs are registered from. */

const HEAD = `# Jobs

<!-- Generated from src/composition/builtins.ts and what it names by \`npm run generate\`. -->

Everything the supervisor does by name is a job of its engine: it has arguments, an environment, standard input, output and
error, a status (0 done, 1 error, 127 for a name that no job has), and it can be called off. \`tsdocker jobs\` lists jobs and those
that run, \`tsdocker job NAME [ARG…] [--env K=V]\` runs one: what begins with \`-\` and is an
option of that command goes behind \`--\` (\`tsdocker job exec web -- ls --help\`). Whoever may use the supervisor's socket may run jobs, as root
(security.md has who that is).

What a job does not declare, it refuses. A variable that is left out stands for nothing: no limit, no, an empty list. Flags are \`1\` or \`0\` (also \`true\` and \`false\`), lists and objects JSON; a
list of one may stand as its text. Jobs that stream write a line of JSON for each event and fail when their last event is a
failure. The names of Docker 1.4 are used where it has the job.

The log of the supervisor has each job at level debug, \`+job name(arguments)\` and \`-job name(arguments) = OK (0)\`; the timeline
(\`tsdocker events\`) has ops, requests and the ends of jobs that are marked with †. Arguments and variables that may be secret
stand in neither.

What \`allocate_interface\` and \`allocate_port\` give and what \`link\` opens is in memory: it is gone when the supervisor ends or
restarts, and whoever needs it asks again. Within one run of the supervisor no address is given twice.
`;

function section({ title, jobs }) {
  return `## ${title}\n\n${shown(jobs).map(entry).join('\n')}`;
}

const shown = (jobs) => [...jobs].sort((a, b) => (a.name < b.name ? -1 : 1));

function entry({ name, summary, args, env = {}, stdin, stdout, instead, recorded }) {
  const usage = args === undefined ? '' : ` ${args}`;
  const facts = [
    ...Object.entries(env).map(
      ([variable, { text, secret }]) => `\`${variable}\`: ${text}${secret ? ' (secret)' : ''}`,
    ),
    ...(stdin === undefined ? [] : [`input: ${stdin}`]),
    ...(stdout === undefined ? [] : [`output: ${stdout}`]),
    ...(instead === undefined ? [] : [`run by the supervisor alone. ${instead}`]),
  ];
  const list = facts.map((fact) => `  - ${fact}\n`).join('');
  return `- \`${name}${usage}\`${recorded ? ' †' : ''} – ${summary}\n${list}`;
}

function opTable({ title, jobs }) {
  const rows = shown(jobs).map(({ name, summary }) => `| \`${name}\` | ${summary.replace(/^[^:]*: /, '')} |`);
  const [{ args, instead }] = jobs;
  return `## ${title}\n\nEach takes a \`${args}\`. The supervisor alone runs them. ${instead}\n\n| job | when it is done |\n|---|---|\n${rows.join('\n')}\n`;
}

export function jobReference(modules) {
  const parts = modules.map((module) =>
    module.jobs.length > 1 && module.jobs.every(({ instead }) => instead !== undefined)
      ? opTable(module)
      : section(module),
  );
  return `${[HEAD, ...parts].join('\n')}`;
}
