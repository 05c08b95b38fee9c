/** Numbers of the back-off presets that documentation and warnings repeat, which cannot see the planner. */
import { describe, expect, test } from 'vitest';
import { fieldMeta } from '../../../src/model/field.ts';
import { containerFields } from '../../../src/model/kinds/container.ts';
import { BACKOFF_PRESETS } from '../../../src/model/kinds/short-forms.ts';
import { writtenDuration } from '../../../src/model/text/shown-value.ts';
import { backoffCurve } from '../../../src/reconcile/plan/backoff.ts';
import { service } from '../importers/translation.ts';

const curveOf = (preset: (typeof BACKOFF_PRESETS)[number]) =>
  backoffCurve({ preset, initialMs: null, factor: null, maxMs: null, resetAfterMs: null });

describe('the numbers of the back-off presets', () => {
  test.each(BACKOFF_PRESETS)('of %s are those in the documentation of restart', (preset) => {
    const doc = fieldMeta(containerFields.shape.restart)?.doc ?? '';
    const text = new RegExp(`\`${preset}\` \\((.*?)\\)`).exec(doc)?.[1];
    const { firstAtOnce, initialMs, factor, maxMs, resetAfterMs, resetAfterReadyMs } = curveOf(preset);
    expect(factor).toBe(2);
    const delays = `${firstAtOnce ? 'at once, then ' : ''}${writtenDuration(initialMs)} doubled up to ${documented(maxMs)}`;
    expect(text?.split('; ')[0]).toBe(delays);
    const reset = text?.split('; ')[1] ?? '';
    expect(reset).toContain(`after ${documented(resetAfterMs)}`);
    expect(/with probes (\w+) after ready/.exec(reset)?.[1] ?? null).toBe(
      resetAfterReadyMs === null ? null : documented(resetAfterReadyMs),
    );
  });

  test('are those in the warnings about a restart_policy of Compose', () => {
    const { warnings } = service('deploy: { restart_policy: { condition: any, delay: 5s, window: 9s } }');
    const { initialMs, maxMs, resetAfterMs } = backoffCurve(null);
    expect(warnings).toEqual(
      expect.arrayContaining([
        expect.stringContaining(`the delay grows from ${initialMs} ms to ${maxMs / 1000} s;`),
        expect.stringContaining(`the delay is short again after ${resetAfterMs / 1000} s of running;`),
      ]),
    );
  });
});

/** The documentation writes one minute in seconds. */
function documented(ms: number): string {
  return ms === 60_000 ? '60s' : writtenDuration(ms);
}
