/** AppArmor profiles from policies: what can be said in one, its text, and getting it into the kernel. */
export { inexpressible, type Inexpressible } from './expressible.ts';
export {
  APPARMOR_CODES,
  AppArmorError,
  compileProfile,
  confinementOf,
  enforcedProfiles,
  loadProfile,
  profilesInUse,
  removeProfile,
} from './parser.ts';
export { profileName, type ProfileOwner } from './profile-name.ts';
export { allowingProfile, InexpressibleError, profileOf, type ProfileOptions } from './profile.ts';
