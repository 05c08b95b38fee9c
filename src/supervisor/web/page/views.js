/** Tables and lists of the page, each rebuilt from the state. */
import { age, h, tone, unready } from './dom.js';

const badge = (text, kind) => h('span', { class: `badge ${kind}` }, text);

const position = (source) =>
  source === null ? null : h('code', { class: 'place' }, `${source.file.split('/').at(-1)}:${source.line}`);

function table(titles, rows, empty) {
  if (rows.length === 0) return h('p', { class: 'hint' }, empty);
  return h(
    'div',
    { class: 'scroll' },
    h(
      'table',
      {},
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          titles.map((title) => h('th', { scope: 'col' }, title)),
        ),
      ),
      h('tbody', {}, rows),
    ),
  );
}

/** What is of no app stands under its own name. */
export const nameOf = ({ app, name }) => (app === '' ? name : `${app}/${name}`);

function row(container, selected) {
  const name = nameOf(container);
  const { phase, restarts, ports, startedAt, message, source } = container;
  const trouble = unready(container);
  const link = h('a', { href: `#${encodeURIComponent(name)}`, 'data-key': `row ${name}` }, container.name);
  return h(
    'tr',
    { class: selected === name ? 'selected' : null },
    h('th', { scope: 'row' }, link),
    h('td', {}, badge(phase, tone(container)), trouble === null ? null : h('span', { class: 'hint' }, ` ${trouble}`)),
    h('td', { class: restarts > 0 ? 'number some' : 'number' }, String(restarts)),
    h('td', { class: 'number' }, phase === 'Running' ? age(startedAt) : '–'),
    h(
      'td',
      {},
      ports.map((port) => h('code', {}, port)),
    ),
    h('td', { class: 'message' }, message),
    h('td', {}, position(source)),
  );
}

/** Containers by app. `filter` holds lower-case words that all must occur. */
export function apps(containers, filter, selected) {
  const wanted = containers.filter((container) => {
    const text = `${nameOf(container)} ${container.phase} ${container.image} ${container.message}`.toLowerCase();
    return filter.every((word) => text.includes(word));
  });
  if (wanted.length === 0)
    return [h('p', { class: 'hint' }, filter.length > 0 ? 'Nothing has that.' : 'No containers.')];
  const names = [...new Set(wanted.map(({ app }) => app))].sort();
  return names.map((app) => {
    const members = wanted.filter((container) => container.app === app);
    const running = members.filter(({ phase }) => phase === 'Running').length;
    return h(
      'article',
      {},
      h(
        'h3',
        {},
        app === '' ? 'not ours' : app,
        h('span', { class: 'hint' }, ` ${running} of ${members.length} running`),
      ),
      table(
        ['Name', 'Phase', 'Restarts', 'Up', 'Ports', 'Why', 'Declared'],
        members.map((member) => row(member, selected)),
        '',
      ),
    );
  });
}

export function plan(lastPlan) {
  if (lastPlan === null) return [h('p', { class: 'hint' }, 'Nothing had to be done since the supervisor started.')];
  const kinds = { done: 'good', failed: 'bad', skipped: 'warn' };
  return [
    h('p', { class: 'hint' }, `Pass ${lastPlan.reconcile}, ended ${age(lastPlan.at)} ago.`),
    table(
      ['Operation', 'Result', 'Took', 'Because'],
      lastPlan.ops.map(({ id, status, ms, cause, message }) =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, id),
          h('td', {}, badge(status, kinds[status])),
          h('td', { class: 'number' }, `${ms} ms`),
          h('td', { class: 'message' }, message === '' ? cause : `${cause} – ${message}`),
        ),
      ),
      '',
    ),
  ];
}

const standing = (phase) =>
  badge(phase, phase === 'Ready' || phase === 'Active' ? 'good' : phase === 'Released' ? 'idle' : 'warn');

export const networks = (list) =>
  table(
    ['Name', 'State', 'Subnet', 'Containers'],
    list.map((network) =>
      h(
        'tr',
        {},
        h('th', { scope: 'row' }, nameOf(network)),
        h('td', {}, standing(network.phase)),
        h('td', {}, network.subnet === null ? '–' : h('code', {}, network.subnet)),
        h('td', { class: 'number' }, String(network.containers)),
      ),
    ),
    'None declared.',
  );

export const volumes = (list) =>
  table(
    ['Name', 'State', 'Used by'],
    list.map((volume) =>
      h(
        'tr',
        {},
        h('th', { scope: 'row' }, nameOf(volume)),
        h('td', {}, standing(volume.phase)),
        h('td', {}, volume.usedBy.join(', ') || '–'),
      ),
    ),
    'None declared.',
  );

export const manifests = (list) =>
  table(
    ['File', 'App', 'State', 'Not taken over'],
    list.map(({ file, app, state, warnings }) =>
      h(
        'tr',
        {},
        h('th', { scope: 'row', title: file }, file.split('/').at(-1)),
        h('td', {}, app ?? '–'),
        h('td', {}, badge(state, state === 'Active' ? 'good' : state === 'Rejected' ? 'bad' : 'warn')),
        h('td', {}, warnings.map(({ line, column, message }) => `${line}:${column}: ${message}`).join('; ') || '–'),
      ),
    ),
    'No manifests.',
  );

/** Problems that somebody has to look at, above all else. */
export function notices({ manifests: files }) {
  return files.flatMap(({ file, state, issues, held }) => {
    if (state === 'Held' || held !== null)
      return [h('p', { class: 'notice warn' }, `${file} is held: ${held ?? 'approve it'}`)];
    const [issue] = issues;
    if (state !== 'Rejected' || !issue) return [];
    const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
    return [
      h(
        'p',
        { class: 'notice bad' },
        `${issue.file}:${issue.line}:${issue.column}: ${issue.message}${more}. What ran before goes on.`,
      ),
    ];
  });
}

export function facts(container, links) {
  const name = nameOf(container);
  const needs = links.filter(({ from }) => from === name).map(({ to }) => to);
  const needed = links.filter(({ to }) => to === name).map(({ from }) => from);
  const others = (list) => list.map((other) => h('a', { href: `#${encodeURIComponent(other)}`, class: 'chip' }, other));
  const pairs = [
    ['Phase', badge(container.phase, tone(container))],
    ['Why', container.message],
    ['Exit code', container.exitCode === null ? null : String(container.exitCode)],
    ['Image', container.image],
    ['Id', container.id.slice(0, 12)],
    ['Address', container.address],
    ['Ports', container.ports.join(', ')],
    ['Restarts', String(container.restarts)],
    ['Started', container.startedAt],
    ['Needs', needs.length > 0 ? others(needs) : null],
    ['Needed by', needed.length > 0 ? others(needed) : null],
    ['Declared', container.source && `${container.source.file}:${container.source.line}:${container.source.column}`],
  ].filter(([, value]) => value !== null && value !== '');
  const conditions = container.conditions.map(({ type, status, reason, message }) =>
    h(
      'li',
      {},
      badge(`${type}: ${status ? 'yes' : 'no'}`, type === 'Ready' ? (status ? 'good' : 'warn') : 'warn'),
      ` ${reason}`,
      message ? ` – ${message}` : '',
    ),
  );
  return [
    h(
      'dl',
      {},
      pairs.map(([title, value]) => [h('dt', {}, title), h('dd', {}, value)]),
    ),
    conditions.length > 0 ? h('ul', { class: 'conditions', 'aria-label': 'Conditions' }, conditions) : null,
  ];
}

const LABELS = { hold: 'waits', override: 'asked', adopt: 'adopted', drift: 'repaired', resolver: 'names' };

export function event({ time, kind, ok, resource, what, message, cause, log }) {
  const details = [message, cause].filter((text) => text !== '').join(' – ');
  // As messageSaysAll in src/model/timeline.ts.
  const said = kind === 'exit' || (kind === 'probe' && !ok) || message === what;
  return h(
    'li',
    { class: ok ? kind : 'bad' },
    h('time', { datetime: time }, time.slice(11, 19)),
    badge(LABELS[kind] ?? kind, ok ? (kind === 'start' ? 'good' : kind === 'hold' ? 'warn' : 'idle') : 'bad'),
    h('span', { class: 'subject' }, (resource ?? '').replace(/^container\//, '')),
    h('span', {}, ` ${said ? details : `${what}${details === '' ? '' : `: ${details}`}`}`),
    log.length > 0 ? h('pre', {}, log.join('\n')) : null,
  );
}
