import { PlatformError, type PlatformErrorFields } from './platform-error.ts'

/** One entry of a package's error catalogue. */
export interface ErrorSpec {
  /** For people; `{name}` places are filled from the parameters given when the error is made. */
  readonly message: string
  /** HTTP status an API answers with. */
  readonly status: number
  /** Exit code a command line ends with (0 is never legal). Source: sysexits(3) for 64 and above. */
  readonly exit: number
  readonly retryable: boolean
  /** One imperative sentence: what to do now. `{name}` places as in `message`. */
  readonly hint: string
}

/** The errors of one package by code; the source of `docs/errors.md`. */
export interface ErrorCatalogue<Code extends string = string> {
  readonly area: string
  readonly specs: Readonly<Record<Code, ErrorSpec>>
  /**
   * Makes the error of `code`; a place that has no parameter stays visible as `{name}`, so a mistake is seen. Declared as
   * a method so that a catalogue of certain codes is an `ErrorCatalogue`.
   */
  error(code: Code, parameters?: ErrorParameters, fields?: PlatformErrorFields): PlatformError
}

/** Values for the `{name}` places of a message. */
export type ErrorParameters = Readonly<Record<string, string | number | undefined>>

/** Declares the errors one package may raise. Codes are `AREA_REASON`; each has a test that provokes it. */
export function defineErrors<const Specs extends Readonly<Record<string, ErrorSpec>>>(
  area: string,
  specs: Specs,
): ErrorCatalogue<keyof Specs & string> {
  const error = (
    code: keyof Specs & string,
    parameters: ErrorParameters = {},
    fields: PlatformErrorFields = {},
  ): PlatformError => {
    const spec = specs[code] as ErrorSpec
    return new PlatformError(code, fill(spec.message, parameters), {
      ...fields,
      hint: fields.hint ?? fill(spec.hint, parameters),
      retryable: fields.retryable ?? spec.retryable,
    })
  }
  return { area, specs, error }
}

function fill(template: string, parameters: ErrorParameters): string {
  return template.replaceAll(/\{(\w+)\}/g, (place, name: string) => String(parameters[name] ?? place))
}
