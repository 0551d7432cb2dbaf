import { PlatformError } from '@backplane/sdk'

/** Anything that was thrown, as an error with a message: plugins throw strings, undefined and worse. */
export function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown
  if (typeof thrown === 'string') return new Error(thrown)
  try {
    return new Error(`${JSON.stringify(thrown) ?? typeof thrown} was thrown`)
  } catch {
    return new Error('a value that cannot be shown was thrown')
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return asError(thrown).message
}

/** Anything that was thrown, with a code; one made by another copy of the SDK keeps all it says. */
export function asPlatformError(thrown: unknown): PlatformError {
  if (thrown instanceof PlatformError) return thrown
  const error = asError(thrown)
  if (error.name === 'PlatformError') {
    try {
      const toJson: unknown = Reflect.get(error, 'toJSON')
      if (typeof toJson === 'function') return PlatformError.fromJSON(Reflect.apply(toJson, error, []))
    } catch {
      // then it is an error like any other
    }
  }
  return PlatformError.fromJSON(new PlatformError('', '', { cause: error }).toJSON().cause)
}
