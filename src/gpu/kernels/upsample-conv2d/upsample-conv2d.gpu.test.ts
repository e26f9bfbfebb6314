import './upsample-conv2d.test';
