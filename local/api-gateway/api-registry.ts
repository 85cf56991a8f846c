import type { ResourceRequest } from '../contract.ts';
import type { ApiModel, ApiRoute } from './api-model.ts';
import { propertyError, requiredString } from './properties.ts';

export type ApiProtocol = 'HTTP' | 'WEBSOCKET';

export interface RegisteredApi {
  readonly protocol: ApiProtocol;
  readonly model: ApiModel;
}

/** A route and whether its template asked for the function's answer to be sent back. */
export interface RegisteredRoute {
  readonly route: ApiRoute;
  readonly selectsResponse: boolean;
}

/** Everything provisioned so far; later resources of a template refer to earlier ones by id. */
export class ApiRegistry {
  readonly #apis = new Map<string, RegisteredApi>();
  readonly routes = new Map<string, RegisteredRoute>();

  has(apiId: string): boolean {
    return this.#apis.has(apiId);
  }

  add(api: RegisteredApi): void {
    this.#apis.set(api.model.apiId, api);
  }

  /** The API that a resource's `ApiId` names. */
  apiOf(request: ResourceRequest): RegisteredApi {
    const apiId = requiredString(request, 'ApiId');
    const found = this.#apis.get(apiId);
    if (!found) throw propertyError(request, 'ApiId', `names no API of this account: ${apiId}`);
    return found;
  }
}
