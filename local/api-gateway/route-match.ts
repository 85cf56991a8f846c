import type { ApiRoute } from './api-model.ts';

export interface RouteMatch {
  readonly route: ApiRoute;
  /** `undefined` when the route has no path variables: the event then has no `pathParameters`. */
  readonly pathParameters: Readonly<Record<string, string>> | undefined;
}

interface Candidate extends RouteMatch {
  readonly rank: string;
}

/**
 * The route for a request, most specific first: literal segments before `{name}` before `{name+}`, read from the
 * left; at equal paths the method before `ANY`; `$default` last. `path` is decoded and without the stage.
 */
export function matchRoute(routes: Iterable<ApiRoute>, method: string, path: string): RouteMatch | undefined {
  let best: Candidate | undefined;
  for (const route of routes) {
    const candidate = candidateOf(route, method, path);
    if (candidate && (!best || candidate.rank < best.rank)) best = candidate;
  }
  return best;
}

function candidateOf(route: ApiRoute, method: string, path: string): Candidate | undefined {
  if (route.routeKey === '$default') return { route, pathParameters: undefined, rank: '9' };
  const [routeMethod = '', routePath = ''] = route.routeKey.split(' ');
  if (routeMethod !== 'ANY' && routeMethod !== method) return undefined;
  const matched = matchSegments(segmentsOf(routePath), segmentsOf(path));
  if (!matched) return undefined;
  const methodRank = routeMethod === 'ANY' ? '1' : '0';
  const pathParameters = matched.values.length > 0 ? Object.fromEntries(matched.values) : undefined;
  return { route, pathParameters, rank: `${matched.rank}${methodRank}` };
}

function segmentsOf(path: string): readonly string[] {
  return path.split('/').slice(1);
}

function matchSegments(
  pattern: readonly string[],
  actual: readonly string[],
): { readonly rank: string; readonly values: readonly (readonly [string, string])[] } | undefined {
  const values: [string, string][] = [];
  // A greedy route ranks behind every full match, whatever its first segments are.
  const greedy = pattern.at(-1)?.endsWith('+}') === true;
  let rank = greedy ? '5' : '3';
  for (const [index, segment] of pattern.entries()) {
    const name = /^\{([^{}+]+)(\+?)\}$/.exec(segment);
    const rest = name?.[2] === '+' ? actual.slice(index).join('/') : (actual[index] ?? '');
    if (name?.[1] === undefined) {
      if (actual[index] !== segment) return undefined;
      rank += '0';
      continue;
    }
    if (rest === '') return undefined;
    values.push([name[1], rest]);
    rank += name[2] === '+' ? '2' : '1';
  }
  if (!greedy && actual.length !== pattern.length) return undefined;
  return { rank, values };
}

/** Whether a route key of an HTTP API can be matched at all; anything else is a mistake in the template. */
export function isHttpRouteKey(key: string): boolean {
  if (key === '$default') return true;
  const [, path = ''] = /^(?:ANY|GET|PUT|POST|PATCH|DELETE|HEAD|OPTIONS) (\/\S*)$/.exec(key) ?? [];
  const segments = segmentsOf(path);
  const legal = segments.every((segment) => /^(?:[^{}]*|\{[^{}+]+\+?\})$/.test(segment));
  const greedyAt = segments.findIndex((segment) => segment.endsWith('+}'));
  return path !== '' && legal && (greedyAt === -1 || greedyAt === segments.length - 1);
}
