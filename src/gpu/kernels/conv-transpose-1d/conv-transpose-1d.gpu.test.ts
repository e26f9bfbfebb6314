import './conv-transpose-1d.test';
