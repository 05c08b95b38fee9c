/** Images and registries: what goes in and out over the network, and the names images have here. */
import type { TransferEvent } from './transfer-event.ts';

/** A login that the client's user has; null leaves it to the supervisor's own. */
export type CredentialsView =
  | { readonly type: 'password'; readonly username: string; readonly password: string }
  | { readonly type: 'identity-token'; readonly token: string }
  | null;

export interface PullRequest {
  readonly reference: string;
  /** `os/architecture[/variant]`; null for the supervisor's machine. */
  readonly platform: string | null;
  readonly credentials: CredentialsView;
}

export interface PushRequest {
  /** A name that an image has on this host. */
  readonly reference: string;
  readonly credentials: CredentialsView;
}

export interface LoginRequest {
  readonly registry: string;
  readonly credentials: NonNullable<CredentialsView>;
}

export interface SearchRequest {
  /** Null for Docker Hub. */
  readonly registry: string | null;
  readonly term: string;
  readonly credentials: CredentialsView;
}

export interface SearchView {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly official: boolean;
}

/** What a registry has under a name. */
export interface DistributionView {
  readonly mediaType: string;
  /** `sha256:…` */
  readonly digest: string;
  readonly size: number;
  readonly platforms: readonly {
    readonly os: string;
    readonly architecture: string;
    readonly variant: string | null;
  }[];
}

export interface RemoveImageRequest {
  /** A name, an id or its beginning. */
  readonly image: string;
  /** Also an id with several names, and one that a stopped container was made from. */
  readonly force: boolean;
}

/** What was taken away, in Docker's words. */
export type RemovedView = { readonly Untagged: string } | { readonly Deleted: string };

/** A step of how an image was made; newest first. */
export interface ImageHistoryView {
  /** Id of the image, or of the layer that the step made; null for a step without one. */
  readonly id: string | null;
  /** RFC 3339. */
  readonly created: string | null;
  readonly createdBy: string;
  readonly comment: string;
  /** Bytes on disk. */
  readonly size: number;
}

export interface RegistryApi {
  pull(request: PullRequest, signal?: AbortSignal): AsyncIterable<TransferEvent>;
  push(request: PushRequest, signal?: AbortSignal): AsyncIterable<TransferEvent>;
  /** Proves that the registry takes the login. */
  checkLogin(request: LoginRequest, signal?: AbortSignal): Promise<void>;
  tags(reference: string, credentials: CredentialsView, signal?: AbortSignal): Promise<readonly string[]>;
  /** Asks the registry what it has under a name. */
  distribution(reference: string, credentials: CredentialsView, signal?: AbortSignal): Promise<DistributionView>;
  search(request: SearchRequest, signal?: AbortSignal): Promise<readonly SearchView[]>;
  /** @param force moves a name that means another image. */
  tag(image: string, name: string, force: boolean): Promise<void>;
  removeImage(request: RemoveImageRequest): Promise<readonly RemovedView[]>;
  imageHistory(image: string): Promise<readonly ImageHistoryView[]>;
}
