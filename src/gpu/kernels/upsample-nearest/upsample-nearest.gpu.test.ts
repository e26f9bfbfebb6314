import './upsample-nearest.test';
