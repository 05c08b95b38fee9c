interface Layer {
  readonly name: string;
  readonly path: string;
}
interface LayerRule {
  readonly name: string;
  readonly from: { readonly path: string };
  readonly to: {
    readonly path: string | readonly string[];
    readonly pathNot: readonly string[];
    readonly dependencyTypesNot?: readonly string[];
  };
}
export const LAYERS: readonly Layer[];
export function layerRules(): readonly LayerRule[];
