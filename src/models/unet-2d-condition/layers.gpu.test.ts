import './layers.test';
