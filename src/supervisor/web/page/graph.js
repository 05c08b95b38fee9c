/** Containers and what they need, as layers from left to right: those that need nothing stand on the right. */
import { s, tone, unready } from './dom.js';

const NODE = { width: 168, height: 46 };
const GAP = { x: 88, y: 18 };
const MARGIN = 12;

/** Length of the longest way to one that needs nothing. Links that go round in a circle are not counted twice. */
function depths(names, needs) {
  const depth = new Map();
  const visit = (name, way) => {
    const known = depth.get(name);
    if (known !== undefined) return known;
    if (way.has(name)) return 0;
    way.add(name);
    const next = (needs.get(name) ?? []).map((need) => visit(need, way) + 1);
    way.delete(name);
    const own = Math.max(0, ...next);
    depth.set(name, own);
    return own;
  };
  for (const name of names) visit(name, new Set());
  return depth;
}

/** Within a layer each stands near the middle of those it needs. */
function place(names, needs, depth) {
  const deepest = Math.max(0, ...depth.values());
  const rows = new Map();
  const layers = [];
  for (let level = 0; level <= deepest; level++) {
    const weight = (name) => {
      const known = (needs.get(name) ?? []).map((need) => rows.get(need)).filter((row) => row !== undefined);
      return known.length === 0 ? Number.MAX_SAFE_INTEGER : known.reduce((sum, row) => sum + row, 0) / known.length;
    };
    const layer = names.filter((name) => depth.get(name) === level);
    if (level > 0) layer.sort((a, b) => weight(a) - weight(b));
    layer.forEach((name, row) => {
      rows.set(name, row);
    });
    layers.push(layer);
  }
  const spots = new Map();
  for (const [level, layer] of layers.entries()) {
    layer.forEach((name, row) => {
      spots.set(name, {
        x: MARGIN + (deepest - level) * (NODE.width + GAP.x),
        y: MARGIN + row * (NODE.height + GAP.y),
      });
    });
  }
  const tallest = Math.max(1, ...layers.map((layer) => layer.length));
  return {
    spots,
    width: 2 * MARGIN + deepest * (NODE.width + GAP.x) + NODE.width,
    height: 2 * MARGIN + tallest * (NODE.height + GAP.y) - GAP.y,
  };
}

const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

function edge(from, to, touched) {
  const start = { x: from.x + NODE.width, y: from.y + NODE.height / 2 };
  const end = { x: to.x - 4, y: to.y + NODE.height / 2 };
  const bend = Math.max(30, (end.x - start.x) / 2);
  const d = `M${start.x},${start.y} C${start.x + bend},${start.y} ${end.x - bend},${end.y} ${end.x},${end.y}`;
  return s('path', { class: touched ? 'edge touched' : 'edge', d, 'marker-end': 'url(#arrow)' });
}

function node(name, container, { x, y }, selected) {
  const phase = container?.phase ?? 'not there';
  const [app, short] = name.split('/');
  return s(
    'a',
    {
      href: `#${encodeURIComponent(name)}`,
      class: `node ${container ? tone(container) : 'bad'}`,
      'data-key': name,
      'aria-label': [name, phase, container ? (unready(container) ?? 'ready') : '']
        .filter((part) => part !== '')
        .join(', '),
      'aria-current': selected === name ? 'true' : null,
    },
    s('title', {}, `${name}: ${phase}${container?.message ? ` – ${container.message}` : ''}`),
    s('rect', { x, y, width: NODE.width, height: NODE.height, rx: 9 }),
    s('circle', { cx: x + 16, cy: y + NODE.height / 2, r: 5 }),
    s('text', { x: x + 30, y: y + 20, class: 'name' }, cut(short ?? name, 17)),
    s('text', { x: x + 30, y: y + 36, class: 'sub' }, cut(`${app} · ${phase}`, 23)),
  );
}

/** Smaller than that, names cannot be read. */
const SMALLEST = 0.6;

/** Makes the graph as small as it has to be for its place, and can be to be read. */
export function shrink(place) {
  const drawn = place.querySelector('svg');
  if (!drawn) return;
  const { width, height } = drawn.viewBox.baseVal;
  const { paddingLeft, paddingRight } = getComputedStyle(place);
  const room = place.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight);
  const scale = Math.max(SMALLEST, Math.min(1, room / width));
  drawn.setAttribute('width', String(Math.floor(width * scale)));
  drawn.setAttribute('height', String(Math.floor(height * scale)));
}

/** How many of the containers in the graph are out of sight, on either side. */
export function outOfSight(place) {
  const seen = place.getBoundingClientRect();
  const hidden = { left: 0, right: 0 };
  for (const drawn of place.querySelectorAll('a.node')) {
    const { left, right } = drawn.getBoundingClientRect();
    if (right > seen.right) hidden.right++;
    else if (left < seen.left) hidden.left++;
  }
  return hidden;
}

/** An SVG of all containers that need another or are needed; null when there is none. */
export function graph({ containers, links }, selected) {
  const names = [...new Set(links.flatMap(({ from, to }) => [from, to]))].sort();
  if (names.length === 0) return null;
  const needs = new Map();
  for (const { from, to } of links) needs.set(from, [...(needs.get(from) ?? []), to]);
  const byName = new Map(containers.map((container) => [`${container.app}/${container.name}`, container]));
  const { spots, width, height } = place(names, needs, depths(names, needs));
  return s(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, width, height, role: 'group', 'aria-label': 'Links between containers' },
    s(
      'defs',
      {},
      s(
        'marker',
        {
          id: 'arrow',
          viewBox: '0 0 8 8',
          refX: 7,
          refY: 4,
          markerWidth: 9,
          markerHeight: 9,
          markerUnits: 'userSpaceOnUse',
          orient: 'auto',
        },
        s('path', { d: 'M0,0 L8,4 L0,8 z' }),
      ),
    ),
    links.map(({ from, to }) => edge(spots.get(from), spots.get(to), selected === from || selected === to)),
    names.map((name) => node(name, byName.get(name), spots.get(name), selected)),
  );
}
