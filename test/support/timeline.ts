/** What an entry of the timeline has beside when, of whom and of what kind it is, where it says nothing. */
export const BLANK_ENTRY = {
  generation: 7,
  what: '',
  ok: true,
  cause: '',
  message: '',
  source: null,
  run: null,
  log: [],
} as const;
