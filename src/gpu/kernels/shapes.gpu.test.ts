import './shapes.test';
