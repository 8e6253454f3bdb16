// The one door to the chart library.
export { default } from "../vendor/uplot/uPlot.esm.js";
