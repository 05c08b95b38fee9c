/** `logging` of a Compose service. */
import type { ResourceDraft } from '../draft.ts';
import { setLog } from '../log-options.ts';
import type { FieldTable, Part } from '../part.ts';

const KNOWN: FieldTable<null> = { driver: () => {}, options: () => {} };

export function logging(part: Part, { container }: { readonly container: ResourceDraft }): void {
  part.each(KNOWN, null, container);
  const driver = part.get('driver');
  const options = part.get('options');
  setLog(
    container,
    driver && !driver.isNothing ? { name: driver.text(), at: driver.at } : null,
    (options?.entries() ?? []).map(([name, value]) => ({ name, value: value.text(), at: value.keyAt })),
  );
}
