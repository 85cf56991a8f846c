/** What a request gets that no route of the task API takes: one line that says which would. */
import { API_PREFIX, apiRoutes, type ApiMethod, type ApiRoute } from '../../shared-types/api-routes.ts';

export interface UnknownRoute {
  readonly status: 404 | 405;
  readonly message: string;
  /** Methods of the path; empty at a path that is none. */
  readonly allow: readonly ApiMethod[];
}

const routes: readonly ApiRoute[] = Object.values(apiRoutes);

const matches = (template: string, path: string): boolean => {
  const wanted = `${API_PREFIX}${template}`.split('/');
  const segments = path.split('/');
  return (
    wanted.length === segments.length &&
    wanted.every((part, index) => (part.startsWith('{') ? segments[index] !== '' : part === segments[index]))
  );
};

/** @param path as it was sent, without the query */
export const unknownRoute = (method: string, path: string): UnknownRoute => {
  const trimmed = path.length > 1 ? path.replace(/\/+$/, '') : path;
  const allow = [
    ...new Set(routes.filter((route) => matches(route.path, trimmed)).map((route) => route.method)),
  ];
  if (allow.length === 0)
    return { status: 404, message: `there is no such route; GET ${API_PREFIX}/docs lists them`, allow };
  if (trimmed !== path && allow.some((one) => one === method))
    return { status: 404, message: 'there is no such route; leave out the slash at its end', allow: [] };
  const name = /^[A-Z]{1,16}$/.test(method) ? method : 'this method';
  return { status: 405, message: `${name} is not allowed here; use ${allow.join(' or ')}`, allow };
};
