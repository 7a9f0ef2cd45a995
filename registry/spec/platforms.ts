import type { Platform } from './descriptors.ts'

// Platforms as people write them: `linux/arm64`, `linux/arm64/v8` (image-spec, "Image Index": platform).

export function platformText({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== undefined).join('/')
}

/** Whether `text` means this platform. Without a variant, every one of them is meant. */
export function isPlatform({ os, architecture, variant }: Platform, text: string): boolean {
  const [wantedOs, wantedArchitecture, wantedVariant] = text.split('/')
  return os === wantedOs && architecture === wantedArchitecture && (wantedVariant === undefined || variant === wantedVariant)
}
