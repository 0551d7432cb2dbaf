/** How long a browser may remember the answer to a preflight, seconds. */
const rememberedSeconds = 600

/** What scripts may send beside what every page may. */
const requestHeaders = 'Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID, Prefer'

/** What scripts may read beside what every page may. */
const answerHeaders = 'ETag, Idempotency-Replayed, Location, Preference-Applied, Retry-After'

/** Whether a browser asks if a page of another origin may send a request. Source: WHATWG Fetch §3.3.2. */
export function isPreflight({ method, headers }: Request): boolean {
  return method === 'OPTIONS' && headers.has('origin') && headers.has('access-control-request-method')
}

/** Answers a preflight of an allowed origin. It says nothing of the route: no token comes with it. */
export function preflightAnswer(methods: readonly string[]): Response {
  const headers = {
    'access-control-allow-methods': methods.join(', '),
    'access-control-allow-headers': requestHeaders,
    'access-control-max-age': String(rememberedSeconds),
  }
  return new Response(null, { status: 204, headers })
}

/** Lets scripts of an allowed origin read an answer. Credentials are never allowed: there are no cookies. */
export function readableBy(origin: string, answer: Response): Response {
  const headers = new Headers(answer.headers)
  headers.set('access-control-allow-origin', origin)
  headers.set('access-control-expose-headers', answerHeaders)
  headers.append('vary', 'Origin')
  return new Response(answer.body, { status: answer.status, headers })
}
