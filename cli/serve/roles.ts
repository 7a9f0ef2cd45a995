export type Role = 'origin' | 'edge' | 'control-plane'
