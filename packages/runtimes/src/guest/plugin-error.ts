import { PlatformError } from '@backplane/sdk'

/**
 * What a plugin threw, as the error its caller gets in every tier: a `PlatformError` stays itself, one made by another
 * copy of the SDK is rebuilt, anything else keeps its own `code`, message and causes. Stacks stay on this side.
 */
export function pluginError(thrown: unknown): PlatformError {
  if (thrown instanceof PlatformError) return thrown
  if (isForeignCopy(thrown)) return PlatformError.fromJSON(thrown.toJSON())
  // The SDK's own rule for errors that are not its own is reached through a cause.
  return PlatformError.fromJSON(new PlatformError('INTERNAL', '', { cause: thrown ?? 'nothing' }).toJSON().cause)
}

function isForeignCopy(thrown: unknown): thrown is { readonly toJSON: () => unknown } {
  return thrown instanceof Error && thrown.name === 'PlatformError' && typeof Reflect.get(thrown, 'toJSON') === 'function'
}

/** The reason an aborted signal gives, as an error. */
export function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new DOMException(String(signal.reason), 'AbortError')
}
