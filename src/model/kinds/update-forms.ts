/** How a change of a running container is made. */
import { z } from 'zod';
import { field } from '../field.ts';
import { booleanField, shortForm, textOrNumber } from './schema-parts.ts';
import { parseDuration } from './short-forms.ts';

/** Written names; {@link update} gives them units. */
export const updateFields = z.strictObject({
  order: field(z.enum(['stop-first', 'start-first']).default('stop-first'), {
    doc: '`stop-first` replaces the container. `start-first` starts its successor beside it as `NAME.next`, moves name and ports when that is ready, and stops the old one when its connections have ended.',
    change: 'in-place',
    example: 'start-first',
  }),
  timeout: field(shortForm(textOrNumber(), parseDuration).prefault('60s'), {
    doc: 'How long the changed container may take to be ready; after that the update has failed.',
    change: 'in-place',
    example: '2m',
  }),
  drain: field(shortForm(textOrNumber(), parseDuration).prefault('10s'), {
    doc: 'With `start-first`, how long open connections of the old container may go on.',
    change: 'in-place',
    example: '30s',
  }),
  onFailure: field(z.enum(['rollback', 'hold']).default('rollback'), {
    doc: 'What follows when the changed container ends or is not ready in time: `rollback` brings its app back to what it was, `hold` leaves what there is. The spec is not tried again until it changes.',
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
  .transform(({ timeout, drain, ...rest }) => ({ ...rest, timeoutMs: timeout, drainMs: drain }))
  .prefault({});
