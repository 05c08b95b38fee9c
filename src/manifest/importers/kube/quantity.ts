/** Kubernetes quantities: `250m`, `1.5`, `512Mi`, `2G`, `1e3`. */
const FACTORS: Readonly<Record<string, number>> = {
  '': 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
  Pi: 1024 ** 5,
};

/** Null for what is no quantity. Decimal suffixes are powers of 1000 here, unlike in our own sizes. */
export function parseQuantity(text: string): number | null {
  const match = /^(\d+(?:\.\d*)?|\.\d+)(?:[eE]([+-]?\d{1,2})|([a-zA-Z]{0,2}))$/.exec(text.trim());
  const factor = match && (match[2] === undefined ? FACTORS[match[3] ?? ''] : 10 ** Number(match[2]));
  return match && factor !== undefined && factor !== null ? Number(match[1]) * factor : null;
}
