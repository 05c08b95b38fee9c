/** `healthcheck` of a Compose service. */

import { dockerProbe, testCommand } from '../docker-health.ts';
import type { ResourceDraft } from '../draft.ts';
import type { FieldTable, Part } from '../part.ts';

const KNOWN: FieldTable<null> = {
  test: () => {},
  interval: () => {},
  timeout: () => {},
  retries: () => {},
  start_period: () => {},
  start_interval: () => {},
  disable: () => {},
};

function commandOf(test: Part, container: ResourceDraft): readonly string[] | string | null | undefined {
  if (test.content.type === 'text') return test.content.text;
  const command = testCommand(test.items().map((item) => item.text()));
  if (command.ok) return command.value;
  container.refuse(test.at, `healthcheck: ${command.message}`);
  return undefined;
}

export function healthcheck(part: Part, { container }: { readonly container: ResourceDraft }): void {
  part.each(KNOWN, null, container);
  const test = part.get('test');
  if (part.get('disable')?.boolean() === true) {
    container.set('health', 'none', part.at);
    return;
  }
  if (!test || test.isNothing) {
    container.warn(part.keyAt, "healthcheck without a test: the image's own is used as it is");
    return;
  }
  const exec = commandOf(test, container);
  if (exec === undefined) return;
  if (exec === null) container.set('health', 'none', part.at);
  else {
    const [interval, timeout, retries] = ['interval', 'timeout', 'retries'].map((name) => part.textOf(name));
    const probe = {
      exec,
      interval,
      timeout,
      retries,
      startPeriod: part.textOf('start_period'),
      startInterval: part.textOf('start_interval'),
    };
    container.set('health', dockerProbe(probe), part.at);
  }
}
