/** Fills the page from two streams, and from a third for the container that is looked at. */
import { byId, h, isFailing, plainLine, replace } from './dom.js';
import { graph, outOfSight, shrink } from './graph.js';
import { apps, event, facts, manifests, nameOf, networks, notices, plan, volumes } from './views.js';

const MAX_EVENTS = 300;
const MAX_LOG_LINES = 1000;

let state = null;
let log = null;
const events = [];

const selected = () => {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return '';
  }
};
const filter = () =>
  byId('filter')
    .value.toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');

function showState() {
  if (state === null) return;
  byId('host').textContent = state.host;
  const bad = state.containers.filter(isFailing).length;
  const fact = (value, what, kind = '') => h('li', { class: kind }, h('strong', {}, String(value)), ` ${what}`);
  replace(
    byId('facts'),
    fact(`${state.running}/${state.containers.length}`, 'running'),
    bad > 0 ? fact(bad, 'failing', 'bad') : null,
    fact(state.generation, 'generation'),
    fact(state.version, 'version'),
  );
  document.title = `${bad > 0 ? `(${bad} failing) ` : ''}tsdocker ${state.host}`;
  const drawn = graph(state, selected());
  byId('graph-section').hidden = drawn === null;
  if (drawn) replace(byId('graph'), drawn);
  showGraphSize();
  replace(byId('notices'), notices(state));
  replace(byId('apps'), apps(state.containers, filter(), selected()));
  replace(byId('plan'), plan(state.lastPlan));
  replace(byId('networks'), networks(state.networks));
  replace(byId('volumes'), volumes(state.volumes));
  replace(byId('manifests'), manifests(state.manifests));
  showDetail();
}

/** A graph that is wider than its place says so: some systems draw no scroll bar until one scrolls. */
function showGraphSize() {
  const place = byId('graph');
  shrink(place);
  const { left, right } = outOfSight(place);
  const side = (count, where) => (count === 0 ? null : `${count} more to the ${where}`);
  const sides = [side(left, 'left'), side(right, 'right')].filter((text) => text !== null);
  byId('graph-more').textContent = sides.length === 0 ? '' : `${sides.join(', ')}: scroll, or open one by its name.`;
  place.classList.toggle('more-left', left > 0);
  place.classList.toggle('more-right', right > 0);
}

function showDetail() {
  const container = state?.containers.find((candidate) => nameOf(candidate) === selected());
  byId('detail').hidden = container === undefined;
  document.body.classList.toggle('with-detail', container !== undefined);
  if (container === undefined) return;
  byId('detail-title').textContent = nameOf(container);
  replace(byId('detail-facts'), facts(container, state.links));
}

function showEvents() {
  const name = selected();
  byId('events-of').textContent = name === '' ? '' : `of ${name}`;
  const wanted = events.filter(({ resource }) => name === '' || resource === `container/${name}`);
  replace(byId('events'), wanted.length === 0 ? h('li', { class: 'hint' }, 'None yet.') : wanted.map(event));
}

function addLine(text, kind) {
  const view = byId('log');
  const atEnd = view.scrollTop + view.clientHeight >= view.scrollHeight - 8;
  view.append(h('span', { class: kind }, `${text}\n`));
  while (view.childElementCount > MAX_LOG_LINES) view.firstElementChild.remove();
  if (atEnd) view.scrollTop = view.scrollHeight;
}

function openLog() {
  log?.close();
  log = null;
  byId('log').replaceChildren();
  const name = selected();
  if (name === '') return;
  log = new EventSource(`/api/logs?name=${encodeURIComponent(name)}`);
  // The stream begins with the latest lines each time it is taken up.
  log.addEventListener('open', () => byId('log').replaceChildren());
  log.addEventListener('line', ({ data }) => {
    const { log: text, stream } = JSON.parse(data);
    addLine(plainLine(text), stream);
  });
  log.addEventListener('end', ({ data }) => {
    addLine(`— ${JSON.parse(data)} —`, 'hint');
    log?.close();
  });
}

function choose() {
  openLog();
  showState();
  showEvents();
  if (!byId('detail').hidden) byId('detail-title').focus();
}

function connect() {
  const states = new EventSource('/api/state');
  const said = byId('connection');
  states.addEventListener('open', () => {
    said.textContent = 'live';
    said.className = 'good';
  });
  states.addEventListener('error', () => {
    said.textContent = 'the supervisor does not answer; what runs goes on';
    said.className = 'bad';
  });
  states.addEventListener('state', ({ data }) => {
    const first = state === null;
    state = JSON.parse(data);
    showState();
    if (first && selected() !== '') choose();
  });
  const timeline = new EventSource('/api/events');
  let pending = false;
  timeline.addEventListener('open', () => {
    events.length = 0;
  });
  timeline.addEventListener('entry', ({ data }) => {
    events.unshift(JSON.parse(data));
    events.length = Math.min(events.length, MAX_EVENTS);
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => {
      pending = false;
      showEvents();
    });
  });
}

addEventListener('hashchange', choose);
addEventListener('resize', showGraphSize);
byId('graph').addEventListener('scroll', showGraphSize, { passive: true });
byId('filter').addEventListener('input', showState);
byId('close').addEventListener('click', () => {
  location.hash = '';
});
addEventListener('keydown', (pressed) => {
  if (pressed.key === 'Escape' && selected() !== '') {
    const name = selected();
    location.hash = '';
    document.querySelector(`[data-key="${CSS.escape(`row ${name}`)}"]`)?.focus();
  } else if (pressed.key === '/' && document.activeElement !== byId('filter')) {
    pressed.preventDefault();
    byId('filter').focus();
  }
});
setInterval(showState, 10_000);
showEvents();
connect();
