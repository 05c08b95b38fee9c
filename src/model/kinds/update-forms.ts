/** How a change of a running container is made. */
import { z } from 'zod';
import { field } from '../field.ts';
import { booleanField, orNull, shortForm, textOrNumber } from './schema-parts.ts';
import { parseDuration } from './short-forms.ts';

/** Default settle time: how long a run without a probe must last. */
export const SETTLE_MS = 1_000;

/** Written names; {@link update} gives them units. */
export const updateFields = z.strictObject({
  order: field(z.enum(['stop-first', 'start-first']).default('stop-first'), {
    doc: '`stop-first` replaces the container. `start-first` first starts a successor as `NAME.next`, moves name, address and ports when that is ready, and stops the old container when its connections have ended. The address changes only where two containers cannot share one for a while: on networks that are no bridge, with `--iptables=false`, or before Linux 5.16. A fixed address or MAC is refused with it.',
    change: 'in-place',
    example: 'start-first',
  }),
  timeout: field(shortForm(textOrNumber(), parseDuration).prefault('60s'), {
    doc: 'Time for the changed container to become ready; after that the update has failed.',
    change: 'in-place',
    example: '2m',
  }),
  settle: field(orNull(shortForm(textOrNumber(), parseDuration)), {
    doc: 'How long a container without a probe has to run without an interruption before a command or an update calls it ready; default 1s. Containers that depend on it do not wait for that.',
    change: 'in-place',
    example: '5s',
  }),
  drain: field(shortForm(textOrNumber(), parseDuration).prefault('10s'), {
    doc: 'With `start-first`, time for open connections of the old container to end.',
    change: 'in-place',
    example: '30s',
  }),
  onFailure: field(z.enum(['rollback', 'hold']).default('rollback'), {
    doc: 'Reaction when the changed container ends or is not ready in time: `rollback` restores the previous declaration of its app, `hold` changes nothing. The spec is not retried until it changes.',
    change: 'in-place',
    example: 'hold',
  }),
  sharedVolumes: field(booleanField(), {
    doc: 'With `start-first`, both containers may write to the same volumes and binds for a while.',
    change: 'in-place',
    example: true,
  }),
});

export const update = updateFields
  .transform(({ timeout, settle, drain, ...rest }) => ({
    ...rest,
    timeoutMs: timeout,
    // The default is written as nothing: what was stored before the field existed says the same.
    settleMs: settle === SETTLE_MS ? null : settle,
    drainMs: drain,
  }))
  .prefault({});
