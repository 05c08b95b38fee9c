/** What differs between two daemons, or two runs, without a reason that a user would ask for. */

const RULES: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{64}\b/g, '<id>'],
  [/\b[0-9a-f]{12}\b/g, '<id>'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, '<time>'],
  [/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d( [+-]\d{4} UTC)?/g, '<time>'],
  [/(Less than a second|About an? (minute|hour)|\d+ (second|minute|hour)s?)\b/g, '<duration>'],
  [/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, '<mac>'],
  [/(?<![\d.$])\d+(\.\d+)?(B|[kKMG]i?B)\b/g, '<size>'],
  [/\bsize: \d+/g, 'size: <size>'],
];

/** @param known what has another name on this side: `[text, placeholder]` */
export function normal(output: string, known: readonly (readonly [string, string])[]): readonly string[] {
  let text = output.replaceAll('\r\n', '\n').replaceAll('\r', '\n');
  for (const [value, name] of known) text = text.replaceAll(value, name);
  for (const [pattern, name] of RULES) text = text.replace(pattern, name);
  return text
    .split('\n')
    .map((line) => line.replace(/ {2,}/g, '  ').trimEnd())
    .filter((line) => line !== '');
}
