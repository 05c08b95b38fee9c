/** Property tests try the same values each time; `TSD_SEED=N npm run unit` tries others. */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.TSD_SEED ?? 1) });
