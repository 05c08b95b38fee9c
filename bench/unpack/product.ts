/** What ours.mjs and layers.mjs run of the product, in the form in which it is built. */
export { createOverlayDriver } from '../../src/drivers/graph/overlay/overlay-driver.ts';
export { DEFAULT_LAYER_LIMITS } from '../../src/images/image.ts';
export { RecipeWriter } from '../../src/images/recipe/recipe-writer.ts';
export { AuthFile } from '../../src/images/registry/auth-file.ts';
export { INSECURE_BY_DEFAULT } from '../../src/images/registry/endpoints.ts';
export { Registry } from '../../src/images/registry/registries.ts';
export { loadArchive } from '../../src/images/sources/archive.ts';
export { TrustPolicyFile } from '../../src/images/trust/policy.ts';
export { unpackLayer } from '../../src/images/unpack/unpack.ts';
export { parseImageReference } from '../../src/model/image-reference.ts';
