/** How a restart policy and its delays are written. */
import { z } from 'zod';
import { parseRestart } from './runtime-forms.ts';
import { orNull, shortForm, textOrNumber } from './schema-parts.ts';
import { BACKOFF_PRESETS, type BackoffSpec, parseDuration, type RestartSpec } from './short-forms.ts';

const UNTUNED = { initialMs: null, factor: null, maxMs: null, resetAfterMs: null } as const;

/** Longer than any system's longest delay: a container that waits longer is forgotten by its people. */
const MAX_DELAY_MS = 3_600_000;

const delay = shortForm(textOrNumber(), parseDuration).refine((ms) => ms <= MAX_DELAY_MS, 'expected at most 1h');

const backoff = z.union(
  [
    z.enum(BACKOFF_PRESETS).transform((preset): BackoffSpec => ({ ...UNTUNED, preset })),
    z
      .strictObject({
        preset: z.enum(BACKOFF_PRESETS).default('tsdocker'),
        initial: orNull(delay),
        factor: orNull(z.number().min(1).max(10)),
        max: orNull(delay),
        resetAfter: orNull(delay),
      })
      .transform(({ preset, initial, factor, max, resetAfter }, context): BackoffSpec => {
        if (initial !== null && max !== null && initial > max) {
          context.addIssue({ code: 'custom', message: 'initial is above max', path: ['initial'] });
        }
        return { preset, initialMs: initial, factor, maxMs: max, resetAfterMs: resetAfter };
      }),
  ],
  { error: `expected ${BACKOFF_PRESETS.join(', ')}, or a mapping with preset, initial, factor, max and resetAfter` },
);

/** `policy[:N]` or a mapping. */
export const restart = z.union(
  [
    shortForm(z.string(), parseRestart),
    z
      .strictObject({
        policy: shortForm(z.string(), parseRestart),
        max: z.int().min(0).max(999_999).optional(),
        backoff: orNull(backoff),
      })
      .transform(({ policy: { policy, max: short }, max, backoff }, context): RestartSpec => {
        if (max !== undefined && policy !== 'on-failure') {
          context.addIssue({ code: 'custom', message: 'only on-failure takes a maximum', path: ['max'] });
        }
        return { policy, max: max ?? short, backoff };
      }),
  ],
  { error: 'expected a restart policy, or policy, max and backoff' },
);
