import { z } from 'zod';
import type { ImageHistoryView } from '../../api/images/registry-views.ts';
import { parseJson } from '../../images/image-config.ts';
import type { ImageRecord } from '../../state/images/image-record.ts';

const stepSchema = z.object({
  created: z.string().nullish(),
  created_by: z.string().nullish(),
  comment: z.string().nullish(),
  empty_layer: z.boolean().nullish(),
});
const configSchema = z.object({ created: z.string().nullish(), history: z.array(stepSchema).nullish() });

/** Returns the build steps of an image, newest first. Without a recorded history, each layer is a step. */
export function imageHistory({ id, created, Tsdocker }: ImageRecord): readonly ImageHistoryView[] {
  const layers = Tsdocker?.Layers ?? [];
  const config = parseJson(configSchema, Tsdocker?.ConfigJson ?? '{}', 'image configuration');
  const entries = config.history ?? [];
  const making = entries.filter(({ empty_layer }) => empty_layer !== true);
  const steps = making.length === layers.length ? entries : layers.map((): z.infer<typeof stepSchema> => ({ created }));
  let next = 0;
  const views = steps.map((step): ImageHistoryView => {
    const layer = step.empty_layer === true ? undefined : layers[next++];
    return {
      id: layer?.ChainId ?? null,
      created: step.created ?? null,
      createdBy: step.created_by ?? '',
      comment: step.comment ?? '',
      size: layer?.Size ?? 0,
    };
  });
  return views.reverse().map((view, index) => (index === 0 ? { ...view, id } : view));
}
