/** Scripts that broke an invariant once, as short as they can be said. */
import { expect, test } from 'vitest';
import type { App } from '../support/declare.ts';
import { runEpisode } from './episode.ts';
import type { Action, Deed } from './script.ts';

const RUN = { image: 'app', command: ['run'], restart: 'always' };
const START_FIRST = { order: 'start-first', sharedVolumes: true };
const PROBE = { exec: ['probe'], interval: '2s', retries: 1 };
const LATE = {
  ...RUN,
  command: ['well', '60000', '900000'],
  health: PROBE,
  update: { ...START_FIRST, timeout: '90s' },
};
/** Gets ready and fails while its predecessor drains. */
const BRIEF = { ...RUN, command: ['exit', '2', '500'], health: PROBE, update: START_FIRST };
/** Never gets ready: its probe waits for longer than a script lasts, and it is stopped in the end. */
const STUCK = { ...RUN, command: ['well', '9000000', '9000001'], health: { readiness: PROBE } };
const IMAGES = { app: '/one.tar' };
/** With room for five containers. */
const SMALL = { images: IMAGES, networks: { back: { subnet: '10.80.0.0/29' } } };

const CHANGED = { env: { WORD: '1' }, update: START_FIRST };
const inBack = (names: readonly string[], more: object = {}): NonNullable<App['containers']> =>
  Object.fromEntries(names.map((name) => [name, { ...RUN, network: 'back', ...more }]));

const after = (afterMs: number, deed: Deed): Action => ({ ...deed, afterMs });
const edit = (afterMs: number, declared: App): Action => after(afterMs, { do: 'edit', app: 'blog', declared });

interface Found {
  readonly title: string;
  readonly actions: readonly Action[];
  /** What the log must not hold. */
  readonly never?: string;
  /** What the log of a time without faults must hold after the second edit. */
  readonly needs?: readonly string[];
}

const FOUND: readonly Found[] = [
  {
    title: 'a lease whose release could not be written is released later',
    actions: [
      edit(0, { images: IMAGES, containers: { web: RUN } }),
      after(3_000, { do: 'fail', what: 'history.durable', class: 'unsupported', times: 1 }),
      edit(0, { images: IMAGES }),
    ],
  },
  {
    title: 'an approval covers the old data, not a later volume of the same name',
    actions: [
      edit(0, { images: IMAGES, volumes: { data: { onRemove: 'delete' } } }),
      edit(3_000, { images: IMAGES }),
      after(3_000, { do: 'fail', what: 'history.approvals', class: 'data-loss', times: 1 }),
      after(0, { do: 'approve', key: 'volume/blog/data' }),
      edit(3_000, { images: IMAGES, volumes: { data: { onRemove: 'delete' } } }),
      edit(3_000, { images: IMAGES }),
    ],
  },
  {
    title: 'an approval that had no effect is void once the volume is declared again',
    actions: [
      edit(0, { images: IMAGES, volumes: { data: { onRemove: 'delete' } } }),
      edit(3_000, { images: IMAGES }),
      after(3_000, { do: 'fail', what: 'disk.volume.remove', class: 'unavailable', times: 1 }),
      after(0, { do: 'approve', key: 'volume/blog/data' }),
      edit(100, { images: IMAGES, volumes: { data: { onRemove: 'delete' } } }),
      edit(3_000, { images: IMAGES }),
    ],
    never: 'done remove volume',
  },
  {
    title: 'an approval is void although the redeclared volume is removed before any op for it',
    actions: [
      edit(0, { images: IMAGES, volumes: { data: { onRemove: 'delete' } } }),
      edit(3_000, { images: IMAGES }),
      after(3_000, { do: 'fail', what: 'disk.volume.remove', class: 'unavailable', times: 1 }),
      after(0, { do: 'approve', key: 'volume/blog/data' }),
      edit(100, { images: IMAGES, volumes: { data: { onRemove: 'delete' } } }),
      edit(0, { images: IMAGES }),
    ],
    never: 'done remove volume',
  },
  {
    title: 'a container that did not start releases ports that are no longer declared',
    actions: [
      after(0, { do: 'fail', what: 'exec.launch', class: 'unsupported', times: 1 }),
      edit(0, { images: IMAGES, containers: { web: { ...RUN, ports: ['8001:80'] } } }),
      edit(3_000, { images: IMAGES, containers: { web: RUN, db: { ...RUN, ports: ['8001:80'] } } }),
    ],
  },
  {
    title: 'a port change that could not be recorded and is reverted is reverted in the rules too',
    actions: [
      edit(0, { images: IMAGES, containers: { web: { ...RUN, ports: ['8001:80'] } } }),
      after(3_000, { do: 'fail', what: 'disk.container.commit', class: 'unsupported', times: 1 }),
      edit(0, { images: IMAGES, containers: { web: { ...RUN, ports: ['8002:80'] } } }),
      edit(3_000, { images: IMAGES, containers: { web: { ...RUN, ports: ['8001:80'] } } }),
      after(20_000, { do: 'wait' }),
    ],
    needs: ['done connect container/blog/web'],
  },
  {
    title: 'a container whose removal failed has its name again',
    actions: [
      edit(0, { images: IMAGES, containers: { db: RUN, web: { ...RUN, links: ['db'] } } }),
      after(3_000, { do: 'fail', what: 'disk.container.remove', class: 'unsupported', times: 1 }),
      edit(0, { images: IMAGES, containers: { db: RUN } }),
      edit(3_000, { images: IMAGES, containers: { db: RUN, web: { ...RUN, links: ['db'] } } }),
    ],
  },
  {
    title: 'a container whose files could not be written is created at the next attempt, under its reserved name',
    actions: [
      after(0, { do: 'fail', what: 'disk.container.create', class: 'unavailable', times: 1 }),
      edit(0, { images: IMAGES, containers: { db: RUN, web: { ...RUN, links: ['db'] } } }),
    ],
    never: 'already assigned',
  },
  {
    title: 'a container takes the name of one whose removal failed half-way',
    actions: [
      edit(0, { images: IMAGES, containers: { db: RUN, web: { ...RUN, links: ['db'] } } }),
      after(3_000, { do: 'fail', what: 'graph.remove', class: 'unavailable', times: 1 }),
      edit(0, { images: IMAGES, containers: { db: { ...RUN, readOnly: true }, web: { ...RUN, links: ['db'] } } }),
    ],
    never: 'already assigned',
  },
  {
    title: 'an update keeps its full timeout when the host was down in between',
    actions: [
      edit(0, { images: IMAGES, containers: { web: RUN } }),
      edit(3_000, { images: IMAGES, containers: { web: { ...RUN, env: { WORD: '1' } } } }),
      after(50, { do: 'reboot', downMs: 70_000 }),
    ],
    never: 'goes back',
  },
  {
    title: 'a completed successor takes over although it lost its namespace without a supervisor',
    actions: [
      edit(0, { images: IMAGES, containers: { web: RUN } }),
      edit(3_000, {
        images: IMAGES,
        containers: { web: { ...RUN, command: ['exit', '0', '3000'], restart: 'no', update: START_FIRST } },
      }),
      after(1_500, { do: 'restart-supervisor', downMs: 20_000 }),
    ],
  },
  {
    title: 'a stop during a recreation is not lost with the old container',
    actions: [
      edit(0, { images: IMAGES, containers: { web: RUN } }),
      after(3_000, { do: 'slow', what: 'exec.remove', ms: 500, times: 1 }),
      edit(0, { images: IMAGES, containers: { web: { ...RUN, network: 'none' } } }),
      after(300, { do: 'stop', key: 'container/blog/web' }),
    ],
  },
  ...(['before', 'after'] as const).map(
    (when): Found => ({
      title: `a stop that is written down while its container is replaced, ${when} that, stops what takes its place`,
      actions: [
        edit(0, { images: IMAGES, containers: { web: RUN } }),
        edit(3_000, { images: IMAGES, containers: { web: { ...RUN, env: { WORD: '1' }, update: START_FIRST } } }),
        after(1_900, { do: 'slow', what: 'disk.sync', ms: 500, times: 1 }),
        after(when === 'before' ? 0 : 300, { do: 'stop', key: 'container/blog/web' }),
        after(20_000, { do: 'wait' }),
      ],
      needs: ['done cutover container/blog/web', 'done stop container/blog/web\n'],
    }),
  ),
  {
    title: 'a cut-over that could not be committed has no effect',
    actions: [
      edit(0, { images: IMAGES, containers: { web: RUN } }),
      edit(3_000, { images: IMAGES, containers: { web: { ...RUN, env: { WORD: '1' }, update: START_FIRST } } }),
      after(1_000, { do: 'fail', what: 'links', class: 'denied', times: 1 }),
      edit(6_000, { images: IMAGES, containers: { web: { ...RUN, env: { WORD: '2' } } } }),
    ],
    never: 'its successor took over',
  },
  ...[
    ['the disk', 'disk.container.commit'],
    ['the network', 'network.publish'],
  ].map(([who, what = '']) => ({
    title: `a predecessor keeps its address when ${who} refused the cut-over and its successor ends`,
    actions: [
      edit(0, { ...SMALL, containers: { web: { ...RUN, network: 'back' } } }),
      edit(3_000, {
        ...SMALL,
        containers: { web: { ...RUN, network: 'back', env: { WORD: '1' }, update: START_FIRST } },
      }),
      after(1_000, { do: 'fail' as const, what, class: 'denied' as const, times: 1 }),
      after(7_000, { do: 'exit' as const, key: 'container/blog/web.next' as const, code: 1, oom: false }),
      edit(60_000, {
        ...SMALL,
        containers: Object.fromEntries(['web', 'a', 'b', 'c', 'd'].map((name) => [name, { ...RUN, network: 'back' }])),
      }),
    ],
    needs: ['done start container/blog/d'],
  })),
  {
    title: 'a refused cut-over does not touch the addresses of another cut-over',
    actions: [
      edit(0, { ...SMALL, containers: inBack(['db', 'web']) }),
      edit(3_000, { ...SMALL, containers: { ...inBack(['web']), ...inBack(['db'], CHANGED) } }),
      edit(500, { ...SMALL, containers: inBack(['db', 'web'], CHANGED) }),
      // The first has changed the network and waits for the disk when the second is refused.
      after(770, { do: 'slow', what: 'disk.sync', ms: 2_000, times: 1 }),
      after(200, { do: 'fail', what: 'network.publish', class: 'denied', times: 1 }),
      // Of five addresses each of the two has its own and the one that it took over.
      edit(60_000, { ...SMALL, containers: { ...inBack(['db', 'web'], CHANGED), ...inBack(['a']) } }),
    ],
    needs: ['done start container/blog/a'],
  },
  {
    title: 'a predecessor keeps its address on another network than its successor',
    actions: [
      edit(0, { ...SMALL, containers: inBack(['a', 'b', 'c', 'd', 'web'], { command: ['stubborn'] }) }),
      edit(3_000, {
        ...SMALL,
        containers: {
          ...inBack(['a', 'b', 'c', 'd'], { command: ['stubborn'] }),
          web: { ...RUN, update: START_FIRST },
        },
      }),
      edit(6_000, {
        ...SMALL,
        containers: {
          ...inBack(['a', 'b', 'c', 'd'], { command: ['stubborn'] }),
          ...inBack(['e']),
          web: { ...RUN, update: START_FIRST },
        },
      }),
      after(60_000, { do: 'wait' }),
    ],
    needs: ['done start container/blog/e'],
  },
  {
    title: 'containers that left a network free their addresses',
    actions: [
      edit(0, { ...SMALL, containers: inBack(['a', 'b', 'c', 'd', 'e']) }),
      edit(3_000, { ...SMALL, containers: { a: RUN, b: RUN, c: RUN, d: RUN, e: { ...RUN, network: 'host' } } }),
      edit(60_000, {
        ...SMALL,
        containers: {
          a: RUN,
          b: RUN,
          c: RUN,
          d: RUN,
          e: { ...RUN, network: 'host' },
          ...inBack(['f', 'g', 'h', 'i', 'j']),
        },
      }),
    ],
    needs: ['done start container/blog/j'],
  },
  {
    title: 'a successor waits for probes that the plan could not see',
    actions: [
      edit(0, { images: IMAGES, containers: { web: RUN } }),
      edit(3_000, {
        images: { app: '/probed.tar' },
        containers: {
          api: { ...RUN, command: ['well', '1000', '900000'] },
          web: { ...RUN, links: ['api'], update: START_FIRST },
        },
      }),
    ],
  },
  {
    title: 'probe results from before a reboot are not a recovery of a dependency',
    actions: [
      edit(0, {
        images: IMAGES,
        containers: {
          job: { ...RUN, command: ['exit', '0', '4000'], restart: 'no', health: { exec: ['probe'], interval: '10s' } },
          web: { ...RUN, command: ['exit', '1', '0'], links: ['job'] },
        },
      }),
      after(20_000, { do: 'reboot', downMs: 100 }),
    ],
  },
  {
    title: 'an adopted dependency has not restarted, although the wall clock was set back',
    actions: [
      edit(0, { images: IMAGES }),
      after(3_000, { do: 'slow', what: 'exec.launched', ms: 30_000, times: 1 }),
      edit(0, {
        images: IMAGES,
        containers: { db: RUN, web: { ...RUN, command: ['exit', '1', '0'], dependsOn: ['db'] } },
      }),
      after(2_000, { do: 'crash', steps: 0, downMs: 100 }),
      after(5_050, { do: 'jump', ms: -60_000 }),
      after(10, { do: 'fail', what: 'disk.container.flush', class: 'unavailable', times: 1 }),
      after(2_500, { do: 'crash', steps: 2, downMs: 2_000 }),
      after(20_000, { do: 'wait' }),
    ],
  },
  {
    title: 'a crashed predecessor waits for its own dependencies, not for those of its successor',
    actions: [
      edit(0, { images: IMAGES, containers: { db: { ...RUN, health: { readiness: PROBE } }, web: RUN } }),
      edit(3_000, {
        images: IMAGES,
        containers: { db: { ...RUN, health: { readiness: PROBE } }, web: { ...LATE, dependsOn: ['db'] } },
      }),
      after(1_000, { do: 'health', key: 'container/blog/db', well: false }),
      after(3_000, { do: 'exit', key: 'container/blog/web', code: 1, oom: false }),
      after(20_000, { do: 'wait' }),
    ],
    never: 'skipped',
  },
  {
    title: 'a predecessor starts after its own dependencies',
    actions: [
      edit(0, { images: IMAGES, containers: { db: RUN, web: { ...RUN, dependsOn: ['db'] } } }),
      edit(3_000, {
        images: IMAGES,
        containers: {
          db: RUN,
          web: LATE,
        },
      }),
      after(3_000, { do: 'slow', what: 'exec.launch', ms: 5_000, times: 1 }),
      after(0, { do: 'reboot', downMs: 100 }),
      after(20_000, { do: 'wait' }),
    ],
  },
  {
    title: 'a container that waits to be replaced is kept up: restarted, and put back on its network',
    actions: [
      edit(0, { images: IMAGES, containers: { web: RUN, db: RUN, job: STUCK } }),
      edit(3_000, {
        images: IMAGES,
        containers: {
          job: STUCK,
          web: { ...RUN, readOnly: true, dependsOn: ['job'] },
          db: { ...RUN, readOnly: true, dependsOn: ['job'] },
        },
      }),
      after(1_000, { do: 'exit', key: 'container/blog/web', code: 1, oom: false }),
      after(1_000, { do: 'drift', what: 'veth', key: 'container/blog/db' }),
      after(20_000, { do: 'stop', key: 'container/blog/job' }),
    ],
    needs: ['begin start container/blog/web as made', 'begin connect container/blog/db as made'],
  },
  {
    title: 'a container that waits for its replacement keeps its ports when a link target is replaced',
    actions: [
      edit(0, {
        images: IMAGES,
        containers: { db: RUN, job: STUCK, web: { ...RUN, links: ['db'], ports: ['8001:80'] } },
      }),
      edit(3_000, {
        images: IMAGES,
        containers: {
          db: { ...RUN, env: { WORD: '1' }, update: START_FIRST },
          job: STUCK,
          web: { ...RUN, readOnly: true, links: ['db'], dependsOn: ['job'] },
        },
      }),
      after(30_000, { do: 'stop', key: 'container/blog/job' }),
    ],
    never: 'not published',
    needs: ['done cutover container/blog/db'],
  },
  {
    title: 'a predecessor restarts on a network that is no longer declared',
    actions: [
      edit(0, { images: IMAGES, networks: { back: {} }, containers: { web: { ...RUN, network: 'back' } } }),
      edit(3_000, { images: IMAGES, containers: { web: LATE } }),
      after(3_000, { do: 'reboot', downMs: 100 }),
      after(20_000, { do: 'wait' }),
    ],
    needs: ['begin start container/blog/web as made'],
  },
  {
    title: 'a predecessor reconnects to a network that is no longer declared and lost its bridge',
    actions: [
      edit(0, {
        images: IMAGES,
        networks: { back: {} },
        containers: { web: { ...RUN, network: 'back' }, db: { ...RUN, network: 'back' }, job: STUCK },
      }),
      edit(3_000, {
        images: IMAGES,
        // A new network alone would be changed in place.
        containers: {
          web: { ...RUN, readOnly: true, dependsOn: ['job'] },
          db: { ...RUN, readOnly: true, dependsOn: ['job'] },
          job: STUCK,
        },
      }),
      after(1_000, { do: 'drift', what: 'bridge', key: 'container/blog/web' }),
      after(0, { do: 'exit', key: 'container/blog/db', code: 1, oom: false }),
      after(20_000, { do: 'stop', key: 'container/blog/job' }),
    ],
    needs: ['done connect container/blog/web', 'begin start container/blog/db as made'],
  },
  {
    title: 'a container leaves one network and joins another while it runs',
    actions: [
      edit(0, {
        images: IMAGES,
        networks: { back: {}, front: {} },
        containers: { web: { ...RUN, networks: ['back', 'front'], ports: ['8001:80'] } },
      }),
      edit(3_000, {
        images: IMAGES,
        networks: { back: {}, front: {} },
        containers: { web: { ...RUN, networks: ['bridge', 'front'], ports: ['8001:80'] } },
      }),
      edit(3_000, {
        images: IMAGES,
        networks: { front: {} },
        containers: { web: { ...RUN, network: 'none', ports: [] } },
      }),
      after(20_000, { do: 'wait' }),
    ],
    never: 'begin stop container/blog/web',
    needs: ['begin update container/blog/web: ports, networks changed'],
  },
  {
    title: 'a rollback restores the old network and ports',
    actions: [
      edit(0, {
        images: IMAGES,
        networks: { back: {} },
        containers: { web: { ...RUN, network: 'back', ports: ['8001:80'] }, db: { ...RUN, network: 'host' } },
      }),
      edit(3_000, {
        images: IMAGES,
        networks: { back: {} },
        containers: { web: { ...BRIEF, ports: ['8001:80'] }, db: BRIEF },
      }),
      after(20_000, { do: 'wait' }),
    ],
    never: 'not published',
    needs: [
      'begin cutover container/blog/web: its successor failed',
      'begin cutover container/blog/db: its successor failed',
    ],
  },
  {
    title: 'a failure of one predecessor does not affect the next one',
    actions: [
      edit(0, { images: IMAGES, containers: { web: RUN } }),
      after(3_000, { do: 'fail', what: 'graph.remove', class: 'unsupported', times: 1 }),
      edit(0, { images: IMAGES, containers: { web: { ...RUN, env: { WORD: '1' }, update: START_FIRST } } }),
      edit(40_000, { images: IMAGES, containers: { web: { ...RUN, env: { WORD: '2' }, update: START_FIRST } } }),
      after(20_000, { do: 'wait' }),
    ],
    needs: ['done remove container/blog/web.old'],
  },
  {
    title: 'remains of a failed creation are not removed while the next attempt uses them',
    actions: [
      after(0, { do: 'fail', what: 'disk.container.build', class: 'unsupported', times: 1 }),
      edit(0, { images: IMAGES, containers: { web: RUN } }),
      after(3_000, { do: 'start', key: 'container/blog/web' }),
      after(20_000, { do: 'wait' }),
    ],
  },
  {
    title: 'a container with a link waits until its target has moved to its network',
    actions: [
      edit(0, { images: IMAGES, containers: { db: { ...RUN, network: 'none' }, web: RUN } }),
      edit(3_000, {
        images: IMAGES,
        containers: {
          db: { ...RUN, update: START_FIRST },
          web: { ...RUN, links: ['db'], update: { ...START_FIRST, onFailure: 'hold' } },
        },
      }),
      after(20_000, { do: 'wait' }),
    ],
    never: 'failed',
    needs: ['done cutover container/blog/web'],
  },
  {
    title: 'a permanent failure does not prevent a stop of its container',
    actions: [
      edit(0, { images: IMAGES, containers: { web: RUN } }),
      after(3_000, { do: 'fail', what: 'disk.container.commit', class: 'unsupported', times: 1 }),
      edit(0, { images: IMAGES, containers: { web: { ...RUN, resources: { memory: '16MiB' } } } }),
      after(3_000, { do: 'stop', key: 'container/blog/web' }),
      after(20_000, { do: 'wait' }),
    ],
    needs: ['done stop container/blog/web'],
  },
  {
    title: 'a probe of a run that has just ended is not a failure',
    actions: [
      edit(0, { images: IMAGES, containers: { web: { ...RUN, health: PROBE } } }),
      after(3_000, { do: 'slow', what: 'exec.exit', ms: 5_000, times: 1 }),
      after(0, { do: 'exit', key: 'container/blog/web', code: 1, oom: false }),
      after(20_000, { do: 'wait' }),
    ],
    never: 'unhealthy',
  },
  {
    title: 'a stop during an update takes precedence over the change',
    actions: [
      edit(0, { images: IMAGES, containers: { web: RUN } }),
      edit(3_000, { images: IMAGES, containers: { web: LATE } }),
      after(3_000, { do: 'stop', key: 'container/blog/web' }),
      after(40_000, { do: 'wait' }),
    ],
  },
  {
    title: 'a successor in an unknown state is not started twice',
    actions: [
      edit(0, { images: IMAGES, containers: { web: RUN } }),
      edit(3_000, { images: IMAGES, containers: { web: LATE } }),
      after(3_000, { do: 'fail', what: 'exec.adopt', class: 'unavailable', times: 3 }),
      after(0, { do: 'restart-supervisor', downMs: 100 }),
      after(20_000, { do: 'wait' }),
    ],
  },
  {
    title: 'containers that link to each other are replaced at the same time',
    actions: [
      edit(0, {
        images: IMAGES,
        containers: { db: RUN, web: { ...RUN, links: ['db'] }, api: { ...RUN, links: ['db'] } },
      }),
      edit(3_000, {
        images: IMAGES,
        containers: {
          db: { ...RUN, env: { WORD: '1' }, update: START_FIRST },
          web: { ...RUN, links: ['db'], env: { WORD: '1' }, update: START_FIRST },
          api: { ...RUN, links: ['db'] },
        },
      }),
      after(20_000, { do: 'wait' }),
    ],
    needs: ['done cutover container/blog/db', 'done cutover container/blog/web'],
  },
  {
    title: 'a container that restarts with its link gets its interface back first',
    actions: [
      edit(0, { images: IMAGES, containers: { db: RUN, web: { ...RUN, links: ['db'] } } }),
      after(3_000, { do: 'stop', key: 'container/blog/db' }),
      after(3_000, { do: 'start', key: 'container/blog/web' }),
      after(0, { do: 'drift', what: 'veth', key: 'container/blog/web' }),
    ],
  },
  {
    title: 'a network is removed after a container in an unknown state',
    actions: [
      edit(0, { images: IMAGES, networks: { front: {} }, containers: { db: { ...RUN, network: 'front' } } }),
      after(3_000, { do: 'slow', what: 'exec.adopt', ms: 60_000, times: 1 }),
      after(0, { do: 'restart-supervisor', downMs: 100 }),
      after(10_000, { do: 'edit', app: 'blog', declared: { images: IMAGES } }),
      after(3_000, {
        do: 'edit',
        app: 'blog',
        declared: { images: IMAGES, networks: { front: {} }, containers: { api: { ...RUN, network: 'front' } } },
      }),
    ],
  },
  {
    title: 'a failed update rolls back to a kept network that could not be restored at the start',
    actions: [
      edit(0, { images: IMAGES, networks: { back: {} }, containers: { db: { ...RUN, network: 'back' } } }),
      after(3_000, { do: 'fail', what: 'network', class: 'timeout', times: 3 }),
      after(0, { do: 'restart-supervisor', downMs: 5_000 }),
      edit(1_000, {
        images: IMAGES,
        containers: { db: { ...RUN, command: ['exit', '137', '4000'], update: START_FIRST } },
      }),
      after(30_000, { do: 'wait' }),
    ],
  },
  {
    title: 'a predecessor that cannot start backs off, also with another image',
    actions: [
      edit(0, {
        images: IMAGES,
        volumes: { logs: {} },
        containers: { api: RUN, db: { ...RUN, links: ['api'], volumes: ['logs:/mnt/logs'] } },
      }),
      edit(3_000, { images: { app: '/two.tar' }, containers: { api: { ...RUN, network: 'host' }, db: LATE } }),
      after(3_000, { do: 'exit', key: 'container/blog/db', code: 1, oom: false }),
      after(20_000, { do: 'wait' }),
    ],
  },
  {
    title: 'a successor whose removal failed half-way leaves no address behind while the next one waits',
    actions: [
      edit(0, { images: IMAGES, containers: { job: RUN, web: RUN } }),
      edit(3_000, { images: IMAGES, containers: { job: RUN, web: LATE } }),
      edit(3_000, {
        images: IMAGES,
        containers: { job: RUN, web: { ...LATE, env: { WORD: '1' }, dependsOn: ['job:completed'] } },
      }),
      after(3_000, { do: 'fail', what: 'graph.remove', class: 'already-exists', times: 1 }),
      after(0, { do: 'reboot', downMs: 100 }),
    ],
  },
  {
    title: 'a container that left its network and cannot be recreated leaves no address behind',
    actions: [
      edit(0, {
        ...SMALL,
        containers: {
          job: { ...RUN, restart: 'no' },
          ...inBack(['web'], { command: ['exit', '1', '200'], restart: 'no' }),
        },
      }),
      after(3_000, { do: 'fail', what: 'disk.container.build', class: 'denied', times: 1 }),
      edit(0, { ...SMALL, containers: { job: { ...RUN, restart: 'no' }, web: { ...RUN, dependsOn: ['job'] } } }),
      after(10_000, { do: 'exit', key: 'container/blog/job', code: 1, oom: false }),
    ],
  },
  {
    title: 'a failed start stays due, also when the failure cannot be recorded',
    actions: [
      edit(0, { images: IMAGES, containers: { web: { ...RUN, restart: 'no' } } }),
      after(3_000, { do: 'stop', key: 'container/blog/web' }),
      after(3_000, { do: 'slow', what: 'exec.launch', ms: 1_000, times: 1 }),
      after(0, { do: 'start', key: 'container/blog/web' }),
      after(500, { do: 'fail', what: 'exec.launch', class: 'unavailable', times: 1 }),
      after(0, { do: 'fail', what: 'disk.container.update', class: 'unavailable', times: 1 }),
      after(20_000, { do: 'wait' }),
    ],
  },
  {
    title: 'no op runs before the adoption of existing containers is complete',
    actions: [
      edit(0, { images: IMAGES, containers: { web: RUN } }),
      edit(3_000, { images: IMAGES, containers: { web: { ...RUN, links: ['db'] }, db: RUN } }),
      after(3_000, { do: 'slow', what: 'exec.adopt', ms: 60_000, times: 1 }),
      after(0, { do: 'restart-supervisor', downMs: 100 }),
      after(500, { do: 'exit', key: 'container/blog/db', code: 1, oom: false }),
    ],
  },
  {
    title:
      'a container whose change waits is not started as it was made when the one it links to has left its networks',
    actions: [
      edit(0, {
        images: IMAGES,
        containers: { api: RUN, job: { ...RUN, command: ['exit', '2', '4000'], links: ['api'] }, web: RUN },
      }),
      edit(3_000, {
        images: IMAGES,
        containers: {
          api: { ...RUN, network: 'host' },
          job: { ...RUN, network: 'none', dependsOn: ['web:completed'] },
          web: RUN,
        },
      }),
      after(60_000, { do: 'wait' }),
    ],
    never: 'Cannot link to a non running container',
  },
];

test.each(FOUND)('$title', async ({ title, actions, never = 'two payloads', needs = [] }) => {
  const { broken, log } = await runEpisode({ seed: title, actions });
  expect(broken).toBeNull();
  expect(log.filter((line) => line.includes(never))).toEqual([]);
  const edited = log.findLastIndex((line) => line.includes('** {"do":"edit"'));
  const rested = log.findIndex((line) => line.includes('== faults stop'));
  for (const need of needs) expect(log.slice(edited, rested).join('\n')).toContain(need);
});
