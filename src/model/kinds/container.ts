import { z } from 'zod';
import { field } from '../field.ts';
import { NAME_PATTERN } from '../resource.ts';
import type {
  DeviceSpec,
  ExposedPort,
  LinkSpec,
  PortMapping,
  UlimitSpec,
  VolumeMount,
  VolumesFromSpec,
} from './short-forms.ts';
