import { TsdError } from '../../model/errors/errors.ts';

/** Key and value of each --storage-opt, in order; the keys in lower case as Docker's. */
export type StorageOptions = readonly (readonly [key: string, value: string])[];

const STEP = '--storage-opt';

/**
 * What `--storage-opt` says to the driver that was chosen.
 * @param texts `key=value` each.
 * @param known names of the options that each driver has.
 * @throws TSD_FLAG for an option that this driver does not have.
 */
export function storageOptions(
  driver: string,
  texts: readonly string[],
  known: Readonly<Record<string, readonly string[]>>,
): StorageOptions {
  const names = known[driver] ?? [];
  return texts.map((text): [string, string] => {
    const equals = text.indexOf('=');
    const [key, value] = [text.slice(0, equals).trim().toLowerCase(), text.slice(equals + 1).trim()];
    if (!names.includes(key)) throw unknownOption(driver, key, known);
    return [key, value];
  });
}

function unknownOption(driver: string, key: string, known: Readonly<Record<string, readonly string[]>>): TsdError {
  const names = known[driver] ?? [];
  const owner = Object.keys(known).find((name) => known[name]?.includes(key));
  const has = names.length === 0 ? 'has no options' : `has ${names.join(', ')}`;
  const hint =
    owner === undefined ? 'Leave it out, or correct its name.' : `Leave it out, or choose its driver with -s ${owner}.`;
  return new TsdError('TSD_FLAG', `Unknown option ${key}: graph driver ${driver} ${has}`, { step: STEP, hint });
}

/** An option's value that makes no sense. @param expected completes "must be". */
export function badOption(key: string, value: string, expected: string): TsdError {
  return new TsdError('TSD_FLAG', `option ${key} must be ${expected}, not '${value}'`, {
    step: STEP,
    hint: 'See docs/graph-drivers.md.',
  });
}
